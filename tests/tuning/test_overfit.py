"""`check_overfit`: on a parabola the verdicts are those of the closed form of gradient descent."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import models, training, tuning

KEY = jax.random.key(0)
EXAMPLES = {"x": jnp.ones(4)}


def parabola(params, model_state, batch, keys, *, train):
    return (params - batch["x"]) ** 2, (model_state, {})


def tried(rate, updates=50, **options):
    ours = training.trainer(parabola, optax.sgd(rate), **options)
    state = ours.init({"params": jnp.zeros(())})
    return tuning.check_overfit(ours, state, EXAMPLES, key=KEY, updates=updates)


@pytest.mark.parametrize(
    "rate, verdict",
    [(0.2, "learned"), (0.01, "slow"), (1e-5, "flat"), (1.0, "flat"), (1.01, "exploded")],
)
def test_a_parabola_is_learned_as_its_closed_form_says(rate, verdict):
    found = tried(rate)
    assert found.verdict == verdict and found.accuracy is None
    want = (1 - 2 * rate) ** (2.0 * np.arange(51))
    np.testing.assert_allclose(found.losses, want[:-1], rtol=1e-4, atol=1e-9)
    assert found.loss == pytest.approx(want[-1], rel=1e-4, abs=1e-9)


def test_what_is_not_finite_has_exploded():
    assert tried(1e30).verdict == "exploded"


@pytest.mark.slow
def test_a_network_learns_random_labels_and_a_huge_rate_kills_its_units():
    images = jax.random.normal(KEY, (50, 6, 6, 1))
    labels = jax.random.randint(jax.random.key(1), (50,), 0, 5)
    net = models.MLP((100, 5), activation=nn.relu)
    variables = net.init(KEY, images, train=False)

    def train(rate, **options):
        loss = training.classification_loss(net)
        ours = training.trainer(loss, optax.sgd(rate), **options)
        examples = {"image": images, "label": labels}
        return tuning.check_overfit(ours, ours.init(variables), examples, key=KEY)

    found = train(0.5)
    assert (found.verdict, found.accuracy) == ("learned", 1.0)
    assert found.losses[-1] < found.losses[0]
    assert train(1e-6).verdict == "flat" and "raise" in train(1e-6).advice


def test_a_model_without_a_gradient_is_dead_and_without_diagnostics_flat():
    def dead(params, model_state, batch, keys, *, train):
        hidden = nn.relu(params["in"] * batch["x"] - 1.0)
        return (params["out"] * hidden - 1.0) ** 2, (model_state, {})

    for diagnostics, verdict in ((True, "dead"), (False, "flat")):
        ours = training.trainer(dead, optax.sgd(0.1), diagnostics=diagnostics)
        state = ours.init({"params": {"in": jnp.zeros(()), "out": jnp.ones(())}})
        found = tuning.check_overfit(ours, state, EXAMPLES, key=KEY, updates=20)
        assert found.verdict == verdict


def test_bad_values_are_named():
    with pytest.raises(ValueError, match="updates"):
        tried(0.1, updates=9)


def test_a_state_of_another_rule_and_arrays_of_two_lengths_are_named():
    ours = training.trainer(parabola, optax.sgd(0.1))
    other = training.trainer(parabola, optax.adam(0.1)).init({"params": jnp.zeros(())})
    with pytest.raises(ValueError, match=r"state.opt_state must have the structure"):
        tuning.check_overfit(ours, other, EXAMPLES, key=KEY)
    state = ours.init({"params": jnp.zeros(())})
    with pytest.raises(ValueError, match="examples must have arrays of one length"):
        tuning.check_overfit(ours, state, {**EXAMPLES, "y": jnp.ones(3)}, key=KEY)


def test_a_loss_that_fell_and_came_to_rest_is_flat():
    """Dead units leave the biases, which learn how frequent the classes are, and no more."""

    def stuck(params, model_state, batch, keys, *, train):
        return 2.0 + (params - batch["x"]) ** 2, (model_state, {})

    ours = training.trainer(stuck, optax.sgd(0.2))
    state = ours.init({"params": jnp.zeros(())})
    found = tuning.check_overfit(ours, state, EXAMPLES, key=KEY, updates=100)
    assert found.losses[0] == 3.0 and found.verdict in ("flat", "dead")


def test_a_second_check_with_the_same_trainer_compiles_nothing_again():
    counted = chex.assert_max_traces(parabola, n=2)  # one of them is that of the evaluation
    ours = training.trainer(counted, optax.sgd(0.1))
    state = ours.init({"params": jnp.zeros(())})
    for _ in range(3):
        tuning.check_overfit(ours, state, EXAMPLES, key=KEY, updates=20)


def test_a_loss_of_the_wrong_sign_is_named():
    def turned(params, model_state, batch, keys, *, train):
        return -((params - batch["x"]) ** 2), (model_state, {})

    ours = training.trainer(turned, optax.sgd(0.1))
    state = ours.init({"params": jnp.zeros(())})
    with pytest.raises(ValueError, match=r"never negative, got -1 after 0 updates"):
        tuning.check_overfit(ours, state, EXAMPLES, key=KEY)


def test_a_loss_below_0_by_rounding_is_none():
    def rounded(params, model_state, batch, keys, *, train):
        return (params - batch["x"]) ** 2 - 1e-8, (model_state, {})

    ours = training.trainer(rounded, optax.sgd(0.1))
    found = tuning.check_overfit(ours, ours.init({"params": jnp.zeros(())}), EXAMPLES, key=KEY)
    assert found.verdict == "learned" and found.loss < 0


def test_a_loss_that_is_negative_in_evaluation_only_is_named():
    def shifted(params, model_state, batch, keys, *, train):
        return (params - batch["x"]) ** 2 - (0.0 if train else 5.0), (model_state, {})

    ours = training.trainer(shifted, optax.sgd(0.1))
    state = ours.init({"params": jnp.zeros(())})
    with pytest.raises(ValueError, match=r"got -5 after 500 updates"):
        tuning.check_overfit(ours, state, EXAMPLES, key=KEY)
