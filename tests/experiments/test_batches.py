"""Numbers of the batch experiments that have a closed form."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.batches import _memory as memory
from experiments.batches import does_the_loop_test_on_training_data as loop
from experiments.batches import is_the_batch_gradient_unbiased as unbiased
from experiments.lab.to_target import racer
from jaxtricks import data, models, optimizers, surfaces, training


def some_digits(count):
    return {name: values[:count] for name, values in data.load("digits").train.items()}


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
def test_the_law_of_the_variance_over_all_batches(batch):
    values = np.array([1.0, 2.0, 4.0, 9.0])
    batches = list(itertools.combinations(values, batch))
    results = {"batch_sizes": np.array(batch), "examples": 4, "variance": np.var(values, ddof=1)}
    exact = np.mean((np.mean(batches, axis=1) - values.mean()) ** 2)
    assert unbiased.law(results) == pytest.approx(exact, abs=1e-12)


def test_the_squared_mean_leaves_out_what_a_draw_has_with_itself():
    """(1, 2) and (3, -4): the product of the two draws is 3 - 8."""
    drawn = jnp.array([[[1.0, 2.0]], [[3.0, -4.0]]])
    assert unbiased.squared_mean(drawn) == pytest.approx([-5.0])
    squares = np.array([[0.04], [0.04 + 1e-9]])
    found = unbiased.lengths({"bias": np.tile(squares, 2), "full": 2.0}, "bias")
    assert [estimate.value for estimate in found] == pytest.approx([0.1])


def test_the_mean_of_the_examples_gradients_is_the_full_one():
    inputs = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    labels = np.float32(np.arange(20) % 2)
    theta = np.float32([0.3, -1.0, 2.0])
    each = jax.jit(unbiased.example_gradients)(inputs, labels, theta)
    loss = surfaces.logistic_regression(jnp.asarray(inputs), jnp.asarray(labels))
    full = jax.jit(jax.grad(loss))(theta)
    np.testing.assert_allclose(np.mean(each, axis=0), full, rtol=1e-5)


@pytest.mark.slow
def test_keeping_all_gradients_costs_a_gradient_per_part_and_gives_the_same_update():
    examples = some_digits(64)
    model, rule, part = models.linear_model(), optimizers.gradient_descent(0.1), 8
    init = jax.jit(model.init, static_argnames="train")
    loss = training.classification_loss(model)
    ours = training.trainer(loss, rule)
    state = ours.init(init(jax.random.key(0), jnp.zeros((1, 8, 8, 1)), train=False))
    used = memory.bytes_of_updates(loss, rule, state, examples, (64, 4096), part)
    growth = {arm: (rows[1] - rows[0]) / (4096 - 64) for arm, rows in used.items()}
    assert growth["all gradients kept"] >= 4 * 650 / part
    assert growth["in parts"] < growth["full batch"]
    assert growth["one by one"] == 0
    steps = ours.step, memory.keep_all(loss, rule, 8)
    full, kept = (jax.jit(step)(state, examples, jax.random.key(0))[0] for step in steps)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-7), kept.params, full.params)


@pytest.mark.slow
def test_a_race_looks_eight_times_an_epoch_and_ends_at_its_limit():
    runner = racer(some_digits(64), 8)
    assert runner.race(jax.random.key(0), 0.1, 10.0, 5)[0] == 0.0
    epochs, losses = runner.race(jax.random.key(0), 0.1, -1.0, 2)
    assert (epochs, len(losses)) == (math.inf, 1 + 2 * 8)
    reached = runner.race(jax.random.key(0), 0.1, losses[5], 2)
    assert reached == (5 / 8, losses[:6])


@pytest.mark.slow
def test_two_looks_at_the_target_count_from_the_first():
    runner = racer(some_digits(64), 8)
    losses = runner.race(jax.random.key(0), 0.1, -1.0, 2)[1]
    assert losses[5] < losses[4]  # it falls here, so the look after it is at the target too
    found = runner.race(jax.random.key(0), 0.1, losses[5], 2, looks=2)
    assert found == (5 / 8, losses[:7])
    late = runner.race(jax.random.key(0), 0.1, losses[5], 4 / 8, looks=2)
    assert late[0] == math.inf


@pytest.mark.slow
def test_the_literal_test_is_the_training_accuracy_when_one_batch_is_all():
    examples = some_digits(loop.BATCH)
    run = jax.jit(loop.trainer(models.MLP((16, 10), dropout_rates=0.5), 3))
    rows = run(jax.random.key(0), False, examples, examples)
    np.testing.assert_array_equal(rows["literal"], rows["train"])
