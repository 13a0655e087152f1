"""Momentum against its closed forms."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import optimizers
from tests.trajectories import updates_of

GRADIENTS = jnp.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 0.25], [2.0, 2.0]])


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9])
def test_velocity_is_the_decayed_sum_of_all_gradients(decay):
    """004:106: v_t = sum_j rho^(t-j) g_j (C-020)."""
    powers = decay ** np.maximum(np.arange(4)[:, None] - np.arange(4)[None, :], 0)
    want = np.tril(powers) @ np.asarray(GRADIENTS, np.float64)
    got = updates_of(optimizers.scale_by_momentum(decay), GRADIENTS)
    chex.assert_trees_all_close(got, jnp.asarray(want, jnp.float32), rtol=1e-6)


def test_dampening_equal_to_decay_is_the_moving_average():
    """With a constant gradient the average tends to it: g (1 - rho^t)."""
    rule = optimizers.scale_by_momentum(0.9, dampening=0.9)
    got = updates_of(rule, jnp.full((30, 1), 2.0))[:, 0]
    chex.assert_trees_all_close(got, 2 * (1 - 0.9 ** jnp.arange(1, 31)), rtol=1e-5)


def test_undampened_first_gradient_is_whole():
    rule = optimizers.scale_by_momentum(0.9, dampening=0.5, dampen_first=False)
    got = updates_of(rule, jnp.ones((2, 1)))[:, 0]
    chex.assert_trees_all_close(got, jnp.array([1.0, 1.4]))


def test_rate_inside_and_outside_part_after_a_cut():
    """E-05: unit gradients, rate 0.1, then 0.01: velocity 10 outside, -1 inside at the cut."""

    def rate(count):
        return jnp.where(count < 100, 0.1, 0.01)

    decayed = sum(0.9**k for k in range(1, 11))
    for inside, want in ((False, -1.0), (True, -1.0 - 0.9 * decayed)):
        rule = optimizers.momentum(rate, decay=0.9, lr_inside=inside)
        moved = updates_of(rule, jnp.ones((110, 1)))[100:].sum()
        assert moved == pytest.approx(want, rel=1e-3)


def test_nesterov_refuses_dampening():
    with pytest.raises(ValueError, match="dampening 0.5"):
        optimizers.scale_by_momentum(nesterov=True, dampening=0.5)


def test_nesterov_with_a_dampening_array_while_tracing():
    none, gradient = jnp.array(0.0), jnp.ones(())

    @jax.jit
    def step(gradient):
        tx = optimizers.scale_by_momentum(0.5, nesterov=True, dampening=none)
        return tx.update(gradient, tx.init(gradient))[0]

    assert float(step(gradient)) == 1.5


def test_float64_hyper_parameters_leave_the_velocity_in_float32():
    with jax.enable_x64():
        tx = optimizers.scale_by_momentum(jnp.asarray(0.5, jnp.float64))
        gradient = jnp.ones(2, jnp.float32)
        before = tx.init(gradient)
        _, after = tx.update(gradient, before)
        chex.assert_trees_all_equal_shapes_and_dtypes(after, before)


@pytest.mark.parametrize("decay", [-0.1, 1.1, 1.5])
def test_decay_out_of_range(decay):
    with pytest.raises(ValueError, match=rf"decay must be in \[0.0, 1.0\], got {decay}"):
        optimizers.momentum(0.1, decay=decay)
