"""The learning-rate experiments against closed forms, and the pictures against what they claim."""

import math

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import lab
from experiments.lab import small_mlp as mlp
from experiments.learning_rate import _net_at_rates as net
from experiments.learning_rate import does_nan_mean_the_rate_is_too_high as nan
from experiments.learning_rate import does_slow_training_mean_a_small_rate as slow
from experiments.learning_rate import does_step_decay_follow_the_table as table
from experiments.learning_rate import how_do_small_and_large_rates_train as rates
from experiments.learning_rate import what_do_the_schedules_look_like as gallery
from experiments.learning_rate import what_does_the_loss_curve_say_about_the_rate as fan
from jaxtricks import data, optimizers


def test_gallery_has_the_printed_formulas_values():
    results = gallery.run(gallery.SMOKE)
    np.testing.assert_allclose(results["values"], results["formulas"], rtol=1e-5, atol=1e-6)
    assert np.shape(results["values"]) == (8, 5)


def test_cosine_is_half_in_the_middle_and_the_line_ends_at_zero():
    results = gallery.run(gallery.SMOKE)
    curves = dict(zip(results["names"], np.asarray(results["curves"]), strict=True))
    assert curves["cosine"][[0, 50, 100]] == pytest.approx([1, 0.5, 0], abs=1e-6)
    assert curves["linear"][[0, 50, 100]] == pytest.approx([1, 0.5, 0], abs=1e-7)


def test_transformers_peak_is_where_the_closed_form_puts_it():
    results = gallery.run(gallery.SMOKE)
    assert [int(step) for step in results["peak_steps"]] == [4000, 8000, 4000, 4000]
    np.testing.assert_allclose(results["peak_rates"], results["peak_formulas"], rtol=1e-5)


@pytest.mark.slow
def test_the_two_call_orders_cut_one_epoch_apart():
    results = table.run(table.SMOKE)
    assert results["cuts_train_first"].tolist() == [30, 60, 90]
    assert results["cuts_step_first"].tolist() == [29, 59, 89]


def test_steps_on_the_valley_are_those_of_the_geometric_law():
    """The flat coordinate shrinks by 1 - rate; the steep one is long gone at these rates."""
    tested = jnp.array([0.001, 0.01, 0.05, 0.101])
    steps = rates.descend_valley(tested, max_steps=20_000)["steps"]
    goal = 1e-3 * math.hypot(3, 20) / 3
    law = [math.ceil(math.log(goal) / math.log1p(-rate)) for rate in (0.001, 0.01, 0.05)]
    np.testing.assert_allclose(steps[:3], law, atol=1)
    assert steps[3] == -1


def test_slope_of_a_power_law_is_its_exponent():
    grid = np.geomspace(1e-3, 1.0, 13)
    assert slow.slope(grid, 10 * grid**-1.5) == pytest.approx(-1.5)


def test_a_run_arrives_where_the_mean_of_its_window_does():
    """The loss drops from 1 to 0 at step 100: half of 41 batches lie below from there on."""
    losses = np.where(np.arange(200) < 100, 1.0, 0.0)[None]
    assert abs(net.arrivals(losses)[0] - 100) <= 1
    assert net.arrivals(np.ones((1, 200)))[0] == -1


def test_flat_runs_neither_move_nor_are_trained():
    still, slow_fall, trained = np.full(400, 2.0), np.linspace(2.0, 1.5, 400), np.full(400, 0.1)
    trained[0] = 2.0
    assert net.flat(np.stack([still, slow_fall, trained])).tolist() == [True, False, False]
    assert net.trained(np.stack([still, slow_fall, trained])).tolist() == [False, False, True]


@pytest.mark.slow
def test_limit_of_stability_at_the_start_is_that_of_the_hessian():
    fit = mlp.examples(data.load("digits", limit=64).train)
    key = jax.random.key(0)
    start = mlp.init(jax.random.split(key)[0], net.SIZES)
    flat, unflatten = jax.flatten_util.ravel_pytree(start)
    gradient = jax.grad(lambda weights: mlp.loss(unflatten(weights), fit))
    vector = jax.random.normal(key, flat.shape)
    for _ in range(60):
        vector = jax.jvp(gradient, (flat,), (vector / jnp.linalg.norm(vector),))[1]
    expected = 2 / float(jnp.linalg.norm(vector))
    assert float(net.limits(fit, key[None])[0]) == pytest.approx(expected, rel=0.05)


@pytest.mark.slow
def test_fan_has_its_four_shapes():
    losses = np.asarray(fan.run(fan.SMOKE)["losses"])
    low, good, _, very_high = losses.swapaxes(0, 1)
    assert np.all(low[:, -1] < low[:, -2]) and np.all(low[:, -1] > good[:, -1])
    assert np.all(~np.isfinite(very_high[:, 1]) | (very_high[:, 1] > 2 * very_high[:, 0]))


@pytest.mark.slow
def test_first_step_of_the_net_follows_the_gradient():
    fit = mlp.examples(data.load("digits", limit=64).train)

    def by_hand(key):
        init_key, order_key = jax.random.split(key)
        first = mlp.init(init_key, (64, 64, 10))
        rows = lab.order_of(order_key, len(fit.y), 1, mlp.BATCH).indices[0]
        gradient = jax.grad(mlp.loss)(first, mlp.Examples(fit.x[rows], fit.y[rows]))
        return jax.tree.map(lambda w, g: w - 0.1 * g, first, gradient)

    def by_rule(key):
        return mlp.train(optimizers.gradient_descent(0.1), key, fit, 1).params

    found, expected = (jax.jit(way)(jax.random.key(3)) for way in (by_rule, by_hand))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found, expected)


def test_planted_losses_fail_where_the_sound_one_does_not():
    label = jnp.array([0])
    for shift, form in ((-200.0, nan.log_of_softmax), (200.0, nan.overflowing)):
        z = jnp.array([[shift, 0.0]])
        planted, sound = (jax.jit(jax.grad(loss))(z, label) for loss in (form, mlp.cross_entropy))
        assert not np.isfinite(planted).all()
        assert np.isfinite(sound).all()
