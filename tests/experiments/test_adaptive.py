"""Experiments on the adaptive methods against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.adaptive import (
    does_a_long_valley_mislead_momentum,
    does_adagrads_rate_decay_to_nothing,
    does_bias_correction_prevent_large_first_steps,
    who_escapes_a_saddle,
)
from experiments.lab.scenes import DECAY, RATES, rule, valley, weights
from jaxtricks import surfaces


@pytest.mark.slow
@pytest.mark.parametrize("b1, b2", [(0.9, 0.999), (0.9, 0.5), (0.0, 0.9)])
def test_ratio_of_adams_steps_does_not_depend_on_the_gradients(b1, b2):
    """(1 - b1^t) / sqrt(1 - b2^t), for gradients of any size and sign."""
    gradients = np.array([2.0, 3.0, -1.0, 5.0, 4.0], np.float32)
    t = np.arange(1, 6)
    want = (1 - b1**t) / np.sqrt(1 - b2**t)
    got = does_bias_correction_prevent_large_first_steps.ratios(gradients, b1, b2)
    np.testing.assert_allclose(got, want, rtol=1e-4)


def test_adagrads_rate_and_way_under_a_constant_gradient():
    """0.01 / sqrt(t), and its sum."""
    rates, way = does_adagrads_rate_decay_to_nothing.constant_gradient(
        "adagrad", does_adagrads_rate_decay_to_nothing.Config(steps=100)
    )
    want = 0.01 / np.sqrt(np.arange(1, 101))
    np.testing.assert_allclose(rates, want, rtol=1e-5)
    np.testing.assert_allclose(way, np.cumsum(want), rtol=1e-5)


@pytest.mark.slow
def test_beale_has_one_minimum_and_two_saddles():
    """(3, 1/2) and (0, 1) exactly; the third is a root of a polynomial."""
    critical = does_a_long_valley_mislead_momentum.critical_points(15)
    np.testing.assert_allclose(
        critical["points"], [[0, 1], [0.100538, -2.644514], [3, 0.5]], atol=2e-6
    )
    assert (critical["eigenvalues"] > 0).sum(axis=1).tolist() == [1, 1, 2]


@pytest.mark.slow
def test_gradient_descent_leaves_the_saddle_by_its_law():
    """The first t with y0 (1 + 2 alpha)^t >= 1, whatever the angle, and never from the ridge."""
    offsets, config = np.array([1e-2, 1e-5, 0.0]), who_escapes_a_saddle.Config(steps=1500)
    with jax.enable_x64(True):
        points = jax.jit(who_escapes_a_saddle.follow, static_argnums=1)(offsets, config)
    escapes = who_escapes_a_saddle.steps_to_leave(
        np.asarray(points["gradient descent"]), config.angles
    )
    want = np.ceil(np.log(1 / offsets[:2]) / np.log(1.04))
    np.testing.assert_array_equal(escapes[:, :2], np.tile(want, (4, 1)))
    assert escapes[0, 2] == config.steps + 1


def test_nesterovs_weights_are_the_points_of_the_first_form():
    """v <- rho v - alpha g(x + rho v), x <- x + v, by hand on the valley's curvatures 1 and 20."""
    x, v, want = np.array(valley().start), np.zeros(2), [valley().start]
    for _ in range(20):
        v = DECAY * v - RATES["nesterov"] * np.array([1, 20]) * (x + DECAY * v)
        x = x + v
        want.append(x)
    path = surfaces.trajectory(rule("nesterov"), valley(), jnp.array(valley().start), 20)
    np.testing.assert_allclose(weights("nesterov", path.points), want, atol=1e-5)
