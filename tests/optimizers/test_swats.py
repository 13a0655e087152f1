"""SWATS against what its projection and its criterion say by hand."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import optimizers
from tests.trajectories import updates_of
from tests.untyped import untyped

GRADIENTS = np.asarray(jax.random.normal(jax.random.key(0), (10, 6)), np.float32)


def run(tx, gradients):
    """Updates and states of every step."""
    state, out = tx.init(gradients[0]), []
    for gradient in gradients:
        updates, state = tx.update(gradient, state)
        out.append((updates, state))
    return out


def test_projected_sgd_step_is_adams_step():
    """-gamma g, projected on p, is p; over several leaves at once; p is optax's Adam."""
    gradient = {"a": jnp.array([3.0, -1.0]), "b": jnp.array(0.2)}
    tx: Any = optimizers.swats(0.1, eps=0.0)
    _, state = tx.update(gradient, tx.init(gradient))
    adam = optax.adam(0.1, eps=0.0)
    step, _ = adam.update(gradient, adam.init(gradient))
    p = np.concatenate([np.ravel(x) for x in jax.tree.leaves(step)])
    g = np.concatenate([np.ravel(x) for x in jax.tree.leaves(gradient)])
    projected = (-float(state.sgd_rate) * g) @ p / (p @ p) * p
    chex.assert_trees_all_close(projected, p, rtol=1e-5)


@pytest.mark.slow
def test_rate_is_the_weighted_mean_of_the_projected_rates():
    """Without a switch the steps are Adam's; weights beta2^(k-j), normalised."""
    states = run(optimizers.swats(0.1, b2=0.8, tolerance=0.0), GRADIENTS)
    adam = updates_of(optax.adam(0.1, b2=0.8, eps=0.0), jnp.asarray(GRADIENTS))
    steps = np.stack([updates for updates, _ in states])
    chex.assert_trees_all_close(steps, np.asarray(adam), rtol=1e-4, atol=1e-6)
    p, g = np.float64(adam), np.float64(GRADIENTS)
    gamma = (p * p).sum(1) / -(p * g).sum(1)
    weights = 0.8 ** np.arange(9, -1, -1)
    assert float(states[-1][1].sgd_rate) == pytest.approx(np.average(gamma, weights=weights), 1e-4)
    assert all(int(state.switch_step) == -1 for _, state in states)


def test_linear_slope_switches_at_the_second_step():
    """Constant g: p = -alpha sign(g), so gamma is alpha n / |g|_1 at every step."""
    g = jnp.array([4.0, -1.0, 1.0])
    states = run(optimizers.swats(0.1, tolerance=1e-5), [g] * 6)
    assert [int(state.switch_step) for _, state in states] == [-1, 2, 2, 2, 2, 2]
    rates = np.array([state.sgd_rate for _, state in states])
    chex.assert_trees_all_close(rates, np.full(6, 0.1 * 3 / 6, np.float32), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("tolerance", [0.5, 0.1, 0.02])
def test_switches_when_the_average_has_come_near(tolerance):
    """Unit gradient, rate 2 once, then 1: the average is off by (1 - b2) b2^(k-1) / (1 - b2^k)."""
    b2, k = 0.9, np.arange(2, 100)
    error = (1 - b2) * b2 ** (k - 1) / (1 - b2**k)
    want = int(k[np.argmax(error < tolerance)])

    def rate(count):
        return jnp.where(count == 0, 2.0, 1.0)

    tx = optimizers.swats(rate, b2=b2, tolerance=tolerance)
    _, state = run(tx, jnp.ones((want + 2, 1)))[-1]
    assert int(state.switch_step) == want
    assert float(state.sgd_rate) == pytest.approx(1 + error[want - 2], rel=1e-5)


def test_after_the_switch_it_is_dampened_momentum_from_rest():
    warm = np.ones((2, 6), np.float32)
    states = run(optimizers.swats(0.1, b1=0.8, tolerance=1e-5), np.concatenate([warm, GRADIENTS]))
    rate = float(states[-1][1].sgd_rate)
    assert int(states[-1][1].switch_step) == 2
    assert rate == pytest.approx(0.1, rel=1e-5)
    want = updates_of(optax.chain(optax.ema(0.8, debias=False), optax.scale(-rate)), GRADIENTS)
    got = jnp.stack([updates for updates, _ in states[2:]])
    chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-7)
    same = updates_of(optimizers.momentum(rate, decay=0.8, dampening=0.8), jnp.asarray(GRADIENTS))
    chex.assert_trees_all_close(got, same, rtol=1e-5, atol=1e-7)


def test_zero_and_empty_gradients_teach_nothing():
    tx: Any = optimizers.swats(0.1, eps=0.0, tolerance=1.0)
    for params in ({}, {"a": None}, {"a": jnp.zeros(3)}):
        state = tx.init(params)
        for _ in range(4):
            updates, state = tx.update(params, state)
        chex.assert_tree_all_finite(updates)
        assert int(state.switch_step) == -1
        assert float(state.sgd_rate) == 0.0


def test_a_zero_gradient_keeps_the_average():
    tx = optimizers.swats(0.1, b1=0.0, b2=0.5, eps=0.0, tolerance=0.0)
    (_, first), (_, second) = run(tx, jnp.array([[2.0], [0.0]]))
    assert float(first.rate_average) == float(second.rate_average) == pytest.approx(0.025)


def test_does_not_switch_to_a_rate_that_climbs():
    """After large gradients of one sign, small ones of the other: p climbs, gamma < 0."""
    gradients = jnp.array([[1.0], [-0.01], [-0.01], [-0.01]])
    tx = optimizers.swats(1.0, b1=0.99, b2=0.1, tolerance=1e9)
    states = run(tx, gradients)
    assert float(states[1][1].sgd_rate) < 0
    assert int(states[1][1].switch_step) == -1


@pytest.mark.parametrize("name, bad", [("b1", 1.0), ("b2", -0.1), ("tolerance", -1e-9)])
def test_hyper_parameters_out_of_range(name, bad):
    with pytest.raises(ValueError, match=f"{name} must be in .*, got {bad}"):
        optimizers.swats(1e-3, **{name: bad})


@pytest.mark.parametrize("name", ["b1", "b2"])
def test_decays_are_numbers(name):
    """The rate's average and SGD's velocity have them too, so schedules are refused by name."""
    with pytest.raises(TypeError, match=f"{name} must be a real scalar"), untyped():
        optimizers.swats(0.1, **{name: lambda count: 0.9})
