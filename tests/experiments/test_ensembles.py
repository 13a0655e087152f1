"""Numbers of the ensemble and restart experiments that have a closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import lab
from experiments.ensembles import (
    do_checkpoint_ensembles_help,
    do_independent_models_help,
    do_real_ensembles_cost_too_much,
    is_the_average_of_the_weights_a_good_final_model,
)
from experiments.lab import ensembles as runs
from experiments.learning_rate import are_restarts_useful, does_the_error_rise_at_restarts
from jaxtricks import models, optimizers, training
from jaxtricks.averaging import exponential_average


def test_last_of_takes_the_last_chosen_epochs():
    chosen = np.array([False, True, False, True, True, False])
    rows = runs.last_of(chosen, (1, 2, 9))
    assert rows.tolist() == [[0, 0, 0, 0, 1, 0], [0, 0, 0, 1, 1, 0], [0, 1, 0, 1, 1, 0]]


@pytest.mark.slow
def test_members_that_err_on_different_examples_make_a_faultless_ensemble():
    """Each of three models is sure, and wrong on one of three examples: two outvote it."""
    wrong = np.eye(3, dtype=np.float32)
    scores = 5 * np.stack([1 - wrong, wrong], axis=-1)  # all labels are 0
    labels = np.zeros(3, np.int32)
    assert jax.jit(runs.error)(scores, labels) == pytest.approx([100 / 3] * 3)
    together = jax.jit(runs.ensemble_errors)(scores, labels, np.array([[1, 0, 0], [1, 1, 1]]))
    assert together == pytest.approx([100 / 3, 0.0])
    members = np.tile(scores, (3, 1, 1))[:8, None]
    found = do_independent_models_help.ensembles(members, labels)
    assert found["member error"].shape == (1, 8)
    assert found["probabilities error"][0, 2] == found["logits error"][0, 2] == 0


def test_cross_entropy_of_equal_scores_is_the_logarithm_of_the_classes():
    labels = np.array([0, 3, 9])
    assert runs.cross_entropy(jnp.zeros((2, 3, 10)), labels) == pytest.approx([np.log(10)] * 2)


@pytest.mark.slow
def test_train_averages_the_weights_after_every_update():
    """Polyak by hand: without memory the average is the last weights, so its look is 0."""
    sets, model = lab.split("digits", 200), models.linear_model()
    ours = training.trainer(
        training.classification_loss(model), optimizers.gradient_descent(0.1),
        averager=exponential_average(0.0),
    )  # fmt: skip

    def look(state):
        return state.step, jax.tree.map(jnp.subtract, state.params, state.average.output)

    @jax.jit
    def train(key, examples):
        first = lab.first_variables(model, key, examples)
        return lab.train(ours, first, examples, key=key, epochs=2, batch=32, look=look)[1]

    looks = train(jax.random.key(0), sets.pool)
    assert looks[0].tolist() == [5, 10]  # 160 examples in batches of 32
    assert all(np.all(leaf == 0) for leaf in jax.tree.leaves(looks[1]))


def test_averages_of_all_decays_are_weighted_means():
    averager = is_the_average_of_the_weights_a_good_final_model.all_decays((0.0, 0.5))
    state, update = averager.init(jnp.zeros(())), jax.jit(averager.update)
    for value in (3.0, 6.0):
        mean, state = update(jnp.array(value), state)
    assert mean == pytest.approx([6.0, (0.5 * 3 + 6) / 1.5])


def test_arms_share_the_keys_of_the_seeds():
    def draw(key: jax.Array, arm: dict[str, jax.Array]) -> jax.Array:
        return arm["scale"] * jax.random.normal(key)

    keys = jax.random.split(jax.random.key(0), 3)
    found = lab.over(draw, {"scale": np.array([1.0, 2.0], np.float32)}, keys)
    assert found.shape == (2, 3)
    assert found[1] == pytest.approx(2 * found[0])
    assert len(np.unique(found[0])) == 3


def test_roughness_is_that_of_the_second_half():
    smooth, zigzag = np.arange(8.0), np.array([9, -9, 9, 9, 0, 1, 0, 1.0])
    found = is_the_average_of_the_weights_a_good_final_model.roughness(np.stack([smooth, zigzag]))
    assert found == pytest.approx([0.0, np.std([1, -1, 1])])


def test_the_chosen_checkpoint_is_the_latest_of_equals():
    errors = {"validation": np.array([[3.0, 1.0, 1.0, 2.0]]), "test": np.array([[4.0, 5, 6, 7]])}
    assert do_checkpoint_ensembles_help.chosen(errors).tolist() == [6.0]
    kept = are_restarts_useful.anytime(errors["validation"], errors["test"])
    assert kept.tolist() == [[4.0, 5.0, 6.0, 6.0]]


def test_rises_look_at_the_first_half_of_the_next_cycle():
    curve = np.array([[9.0, 5, 8, 6, 4, 3]])
    results = {"cycle ends": np.array([2, 6]), "error": curve}
    assert does_the_error_rise_at_restarts.rises(results, "error").tolist() == [[3.0]]


def test_an_average_has_its_own_rate_and_decay():
    """Of 3 rates and 6 decays the second rate with the last decay is best: that decay is an end."""
    script = is_the_average_of_the_weights_a_good_final_model
    errors = np.arange(2 * 3 * 7.0).reshape(3, 2, 7) + 10
    errors[1, :, -1] = 1.0
    results = {"rates": np.array([0.1, 0.2, 0.4]), "constant": {"tuning": errors, "test": errors}}
    found = script.average(results, "constant")
    assert (found.trial, found.at_edge) == ((0.2, script.DECAYS[-1]), ("decay",))
    assert found.tested.tolist() == [1.0, 1.0]
    assert script.last_weights(results, "constant").trial == 0.1


def test_an_ensembles_cost_is_compared_within_a_round():
    results = {"training": np.array([[1.0, 2.0], [3.0, 4.0]])}
    found = do_real_ensembles_cost_too_much.ratios(results, "training")
    assert found == pytest.approx(np.array([[1.0, 1.0], [3.0, 2.0]]))
