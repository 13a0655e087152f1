"""Numbers of the gradient descent experiments that have a closed form."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.gradient_descent import (
    _low_gradient_points,
    _slow_places,
    are_saddles_everywhere,
    do_unscaled_features_cause_zigzag,
    how_noisy_is_a_minibatch_path,
    how_slow_is_an_ill_conditioned_valley,
    what_is_a_saddle,
    where_does_descent_stand_still,
    where_does_the_gradient_point,
)
from experiments.lab import tables
from experiments.lab.scenes import line_fit


@pytest.mark.slow
@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_negative_pivots_count_negative_eigenvalues(dimension):
    matrices = np.random.default_rng(dimension).normal(size=(50, dimension, dimension))
    matrices = jnp.asarray(matrices + np.swapaxes(matrices, 1, 2))
    pivots = jax.vmap(are_saddles_everywhere.negative_pivots)(matrices)
    np.testing.assert_array_equal(pivots, np.sum(np.linalg.eigvalsh(matrices) < 0, axis=1))


@pytest.mark.parametrize("start, found", [(0.7, 1.0), (-0.7, -1.0)])
@pytest.mark.parametrize("method", ["shrink_gradient", "keep_index"])
def test_critical_points_are_found_whatever_their_index(method, start, found):
    """x^3 / 3 - x + y^2 has a minimum at x = 1 and a saddle at x = -1."""
    with jax.enable_x64(True):
        slopes = _low_gradient_points.slopes_of(lambda p: p[0] ** 3 / 3 - p[0] + p[1] ** 2)
        search = getattr(_low_gradient_points, method)
        end, there = search(slopes, np.array([start, 0.5]), 1e-10, 60)
    assert there
    np.testing.assert_allclose(end, [found, 0.0], atol=1e-9)


def test_a_slope_without_critical_points_is_searched_in_vain():
    with jax.enable_x64(True):
        slopes = _low_gradient_points.slopes_of(lambda p: p[0] + p[1] ** 2)
        _, there = _low_gradient_points.find_critical(
            slopes, np.ones(2), tolerance=1e-8, rounds=1, steps=10
        )
    assert not there


@pytest.mark.slow
def test_steps_of_the_valley_are_those_of_the_closed_form():
    """2 of them may be one off: the gradient at the last step is a float's width from 1e-6."""
    script = how_slow_is_an_ill_conditioned_valley
    results = script.run(script.SMOKE)
    for name in script.RATES:
        assert np.max(np.abs(results["steps"][name] - results["law"][name])) <= 1


@pytest.mark.slow
def test_eigenvalues_at_the_saddles():
    """Beale at (0, 1): 2 (1.5 + 2 * 2.25 + 3 * 2.625); between the valleys 12 x^2 - 4 and 0.1."""
    points = what_is_a_saddle.run(what_is_a_saddle.SMOKE)["points"]
    np.testing.assert_allclose(points["x² − y² at 0"]["eigenvalues"], [-2, 2])
    np.testing.assert_allclose(points["Beale at (0, 1)"]["eigenvalues"], [-27.75, 27.75])
    top = 2 / math.sqrt(3) * math.cos((math.acos(0.5 / (8 / 27**0.5)) + 4 * math.pi) / 3)
    want = [12 * top**2 - 4, 0.1]
    np.testing.assert_allclose(points["pass of two valleys"]["eigenvalues"], want, rtol=1e-9)


@pytest.mark.parametrize(
    "eigenvalues, share", [([-1.0, 4.0], 0.25), ([1.0, 4.0], -0.25), ([0.0, 0.0], 0.0)]
)
def test_eigenvalues_of_both_signs(eigenvalues, share):
    assert what_is_a_saddle.both_signs(np.array(eigenvalues)) == share


def test_the_local_minimum_is_a_root():
    x = where_does_descent_stand_still.LOCAL_MINIMUM
    assert 4 * x**3 - 4 * x + 0.5 == pytest.approx(0, abs=1e-5)


def test_stopped_counts_those_that_need_over_so_many_times_the_steps():
    left = {"steps": np.array([[10, 1000, 1001], [1, 200, 201]]), "unit": np.array([10.0, 2.0])}
    counts = where_does_descent_stand_still.stopped(left, 100)
    np.testing.assert_array_equal(counts, [1, 1])


def test_slopes_of_the_slow_places():
    """-1 + depth in the middle of each place, up to the tails of the others."""
    slope = jax.vmap(jax.grad(_slow_places.course))(jnp.array([0, 2, 4.5, 7.0]))
    np.testing.assert_allclose(slope, [-1, -0.02, -0.001, 0.8], atol=3e-3)


def test_a_step_along_the_contour_is_90_degrees_off():
    """On the axis of the bowl the contour runs across it."""
    script = where_does_the_gradient_point
    roots = script.root_axes((1.0, 3.0), 30.0)
    axis, across = np.array([3**0.5, 1.0]) / 2, np.array([-1.0, 3**0.5]) / 2
    assert script.off_right_angle(roots, axis, -axis) == pytest.approx(0, abs=1e-5)
    assert script.off_right_angle(roots, axis, across) == pytest.approx(90, abs=1e-5)
    assert script.off_right_angle(roots, axis, across - axis) == pytest.approx(45, abs=1e-5)


@pytest.mark.slow
def test_all_examples_in_a_batch_make_the_same_path_for_every_seed():
    script = how_noisy_is_a_minibatch_path
    ratios = script.run(dataclasses.replace(script.SMOKE, epochs=1, ends=2))["ratios"]
    np.testing.assert_allclose(ratios[:, -1], ratios[0, -1], rtol=1e-5)
    assert np.ptp(ratios[:, 0]) > 0.1


@pytest.mark.slow
def test_cyclic_order_repeats_and_visits_every_example():
    rows = how_noisy_is_a_minibatch_path.orders(jax.random.key(0), 3)[..., 0].reshape(3, 3, -1)
    cyclic, shuffled, _ = np.asarray(rows)
    assert (cyclic == cyclic[0]).all() and (shuffled[0] != shuffled[1]).any()
    size = len(line_fit()[1])
    np.testing.assert_array_equal(np.sort(shuffled, axis=1), np.tile(np.arange(size), (3, 1)))


def test_centring_and_scaling_of_a_table():
    inputs = np.array([[1.0, 10.0], [3.0, 50.0]])
    raw, centred, standardised = do_unscaled_features_cause_zigzag.forms_of(inputs)
    np.testing.assert_allclose(raw, [[1, 1, 10], [1, 3, 50]])
    np.testing.assert_allclose(centred, [[1, -1, -20], [1, 1, 20]])
    np.testing.assert_allclose(standardised, [[1, -1, -1], [1, 1, 1]])


def test_a_detour_is_the_one_that_descent_makes():
    """Path length over distance, step by step in the weights' own coordinates."""
    script = do_unscaled_features_cause_zigzag
    inputs = np.random.default_rng(0).normal(size=(20, 2)) * [1.0, 5.0]
    target = inputs @ np.array([1.0, 0.1])
    hessian = inputs.T @ inputs / 20
    rate = 2 / np.linalg.eigvalsh(hessian)[[0, -1]].sum()
    path = [np.zeros(2)]
    for _ in range(30):
        path.append(path[-1] - rate * hessian @ (path[-1] - np.array([1.0, 0.1])))
    length = np.sum(np.linalg.norm(np.diff(path, axis=0), axis=1))
    config = dataclasses.replace(script.SMOKE, steps=30, left=0.0)
    index, _, steps, _ = script.detour(inputs, target, config)
    assert steps == 30
    assert index == pytest.approx(length / np.linalg.norm(path[-1]), rel=1e-9)


def test_features_of_equal_range_make_no_detour():
    script = do_unscaled_features_cause_zigzag
    control = script.measure(*script.equal_ranges(), script.SMOKE)
    np.testing.assert_allclose(control["index"], 1.0)
    np.testing.assert_allclose(control["log range"], 0.0, atol=1e-12)


@pytest.mark.parametrize("name, shape", [("titanic", (1045, 6)), ("zoo", (101, 16))])
def test_tables_have_numbers_only(name, shape):
    """Words of more than two kinds, names and columns that are mostly missing are left out."""
    inputs, target = tables.read_table(name)
    assert inputs.shape == shape and np.isfinite(inputs).all()
    assert target.mean() == pytest.approx(0, abs=1e-9) and target.std() == pytest.approx(1)
