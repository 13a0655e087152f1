"""Planted bugs do what their names say; runs are drawn, cured and chosen by hand-made verdicts."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.tuning import _fifty_images as few
from experiments.tuning import _planted_bugs as planted
from experiments.tuning import can_fifty_images_be_learned_by_heart as heart
from experiments.tuning import does_a_flat_loss_on_fifty_images_want_a_higher_rate as flat
from jaxtricks import models

KEY = jax.random.key(0)
L, S, F, D, X = few.LEARNED, few.SLOW, few.FLAT, few.DEAD, few.EXPLODED


def test_pixels_divided_as_integers_are_1_at_255_alone():
    images = np.array([0, 128, 254, 255], np.uint8)
    found = planted.divided_as_integers(KEY, {"image": images, "label": 0})
    assert found["image"].tolist() == [0, 0, 0, 1] and found["label"] == 0


def test_shuffling_keeps_the_labels_and_drawing_does_not():
    examples = {"image": np.zeros(50), "label": np.repeat(np.arange(5, dtype=np.int32), 10)}
    mixed = planted.shuffled(KEY, examples)["label"]
    assert np.sort(mixed).tolist() == examples["label"].tolist() != mixed.tolist()
    assert set(planted.random_labels(KEY, examples)["label"].tolist()) == set(range(10))


@pytest.mark.parametrize(
    "rule, steps", [(planted.upwards, [1, 1]), (planted.never_cleared, [-1, -3])]
)
def test_a_bug_of_the_rule_turns_the_step_or_adds_up_the_gradients(rule, steps):
    """Gradients 1 and 1, then 1 and 2 where the first one is still there."""
    tx = rule(optax.sgd(1.0))
    state, found = tx.init(jnp.zeros(())), []
    for gradient in (1.0, 1.0 if steps[0] > 0 else 2.0):
        step, state = tx.update(jnp.asarray(gradient), state)
        found.append(float(step))
    assert found == steps


@pytest.mark.parametrize("network", few.NETWORKS)
def test_only_the_logits_are_trained(network):
    net, images = few.NETWORKS[network], jnp.zeros((1, 8, 8, 1))
    params = jax.eval_shape(lambda: net.init(KEY, images, train=False))["params"]
    (last,) = (name for name, is_last in planted.last_layer(params).items() if is_last)
    assert params[last]["kernel"].shape[1] == 10


@pytest.mark.slow
def test_a_softmax_over_the_batch_gives_equal_examples_the_loss_of_a_guess_among_them():
    batch = {"image": jnp.ones((7, 2, 2, 1)), "label": jnp.arange(7)}
    params = {"Dense_0": {"kernel": jnp.ones((4, 10)), "bias": jnp.arange(10.0)}}
    loss = planted.loss_over_the_batch(models.MLP((10,)))
    losses, _ = loss(params, {}, batch, {}, train=True)
    np.testing.assert_allclose(losses, np.log(7), rtol=1e-6)


def test_the_middle_of_the_rates_that_most_seeds_learn():
    verdicts = np.array([[F, F], [L, S], [L, L], [L, L], [L, L], [X, X]])  # [rate, seed]
    assert heart.middle_of_the_best(verdicts) == 3


def test_a_run_is_drawn_among_those_of_its_unit():
    cells = np.array([[False] * 4, [True, False, False, True], [False, True, False, False]])
    seeds = np.random.SeedSequence(0).spawn(50)
    found = np.array([flat.drawn(cells, seed) for seed in seeds])
    assert [set(column) for column in found.T] == [{-1}, {0, 3}, {1}]


def test_which_rates_cure_a_drawn_run():
    """Flat below the rates that learn, above them, and no flat run at all."""
    verdicts = np.array([[F, L, X], [S, L, D], [S, L, X]])
    found = flat.cured(verdicts, np.array([0, 2, -1]))
    assert found["higher"].tolist() == [True, False] and found["lower"].tolist() == [False, True]


def test_planted_units_must_be_many_and_want_a_lower_rate():
    rates = [1e-6, 0.01, 10.0]
    dead, low = [F, L, D], [F, S, D]

    def passed(rows):
        results = {"verdicts": np.array(rows), "rates": rates}
        return flat.planted(results, np.full(len(rows), True)).passed

    assert passed([dead] * flat.LEAST)
    assert not passed([dead] * (flat.LEAST - 1))
    assert not passed([dead] * flat.LEAST + [low])


def test_the_verdicts_are_those_of_the_check():
    losses = np.array([[1.0] * 20, [1.0] * 10 + [0.01] * 10, [1.0] * 10 + [np.nan] * 10])
    found = {
        "metrics": {"loss": losses[None], "gradient_norm": np.ones((1, 3, 20))},
        "ended": {"loss": losses[None, :, -1], "accuracy": np.array([[0.1, 1.0, 0.1]])},
    }
    assert few.verdicts(found).tolist() == [[F, L, X]]
