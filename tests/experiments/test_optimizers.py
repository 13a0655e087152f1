"""What the races of optimizers rest on: one rule that is all rules, errors, ranks and trials."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments import lab
from experiments.optimizers import _rules as rules
from experiments.optimizers import are_adams_defaults_good, is_adam_a_good_first_choice
from jaxtricks import models, optimizers, schedules

STEPS = 8


def path(tx):
    """Points of a descent in a bowl with curvatures 1 and 9."""

    def step(carry, _):
        x, state = carry
        updates, state = tx.update(x * jnp.array([1.0, 9.0]), state, x)
        x = optax.apply_updates(x, updates)
        return (x, state), x

    start = jnp.array([1.0, -2.0])
    return jax.jit(lambda: jax.lax.scan(step, (start, tx.init(start)), length=STEPS)[1])()


def trial(**changed):
    usual = {"adam rate": 0.05, "sgd rate": 0.02, "decay": 0.8, "when": 0, "falling": False}
    return usual | changed


def test_without_adam_it_is_momentum_with_a_cosine():
    tx = rules.adam_then_sgd(STEPS)(trial())
    want = optimizers.momentum(schedules.cosine_decay(0.02, STEPS), decay=0.8)
    np.testing.assert_allclose(path(tx), path(want), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("falling", [False, True])
def test_without_sgd_it_is_adam(falling):
    tx = rules.adam_then_sgd(STEPS)(trial(when=STEPS, falling=falling))
    rate = schedules.cosine_decay(0.05, STEPS) if falling else 0.05
    np.testing.assert_allclose(path(tx), path(optimizers.adam(rate, b1=0.8)), rtol=1e-5)


def test_the_switch_parts_from_adam_when_it_should_and_comes_to_rest():
    switched = path(rules.adam_then_sgd(STEPS)(trial(when=3)))
    adam = path(optimizers.adam(0.05, b1=0.8))
    np.testing.assert_allclose(switched[:3], adam[:3], rtol=1e-5)
    assert np.all(np.abs(switched[3] - adam[3]) > 1e-3)


@pytest.mark.slow
def test_one_of_is_each_of_its_rules():
    makers = (optimizers.gradient_descent, optimizers.adagrad, optimizers.adam)
    for index, make in enumerate(makers):
        tx = rules.one_of(makers)({"rate": 0.03, "rule": jnp.array(index)})
        np.testing.assert_allclose(path(tx), path(make(0.03)), rtol=1e-5)


@functools.cache
def planted_race():
    """Of softmax regression on images that are their labels."""
    labels = np.arange(40, dtype=np.int32) % 10
    examples = {"image": np.eye(10, dtype=np.float32)[labels].reshape(40, 5, 2, 1), "label": labels}
    images = lab.Images(examples, examples, examples, "planted")
    model = models.linear_model()
    return lab.racer(model, images, optimizers.gradient_descent, steps=100, marks=4)


def race(rate):
    return planted_race()(jax.random.key(0), rate)


@pytest.mark.slow
def test_images_that_are_their_labels_are_learned_without_error():
    found = race(3.0)
    assert lab.held_back(found) == found["error"][-1] == 0
    assert np.all(np.diff(found["loss"]) < 0)


@pytest.mark.slow
def test_at_rate_0_nothing_changes():
    found = race(0.0)
    np.testing.assert_array_equal(found["error"], np.full(4, lab.held_back(found)))


def test_a_run_that_blows_up_has_an_error_of_100_percent():
    found = race(np.inf)
    assert lab.held_back(found) == found["error"][-1] == 100
    assert found["loss"][-1] == 100


def test_arms_differ_in_the_updates_of_adam_alone():
    arms = rules.arms(80, 5, (0.25,))
    whens = {"sgd": 0, "adam": 80, "adam, decayed": 80, "switch at 0.25": 20}
    assert {name: set(arm["when"].tolist()) for name, arm in arms.items()} == {
        name: {when} for name, when in whens.items()
    }
    for arm in arms.values():
        np.testing.assert_array_equal(arm["adam rate"], arms["adam"]["adam rate"])


def test_equal_errors_share_the_mean_of_their_ranks():
    errors = np.array([[3.0, 1.0], [1.0, 2.0], [1.0, 0.5]])
    ranks = is_adam_a_good_first_choice.ranks(errors)
    np.testing.assert_array_equal(ranks, [[3, 2], [1.5, 3], [1.5, 1]])


def test_trials_of_adam_lie_in_their_ranges():
    rate, first, second = are_adams_defaults_good.draws(1000).T
    for values, low, high in ((rate, 3e-5, 3e-2), (1 - first, 0.01, 0.5), (1 - second, 3e-4, 0.1)):
        logs = np.log(values)
        assert np.log(low) - 1e-3 <= logs.min() and logs.max() <= np.log(high) + 1e-3
        assert logs.mean() == pytest.approx(np.log(low * high) / 2, abs=0.15)
