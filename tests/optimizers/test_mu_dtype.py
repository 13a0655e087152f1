"""First moments kept in a narrow dtype, against optax and a float64 loop that rounds them."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import optimizers
from tests.trajectories import updates_of

GRADIENTS = jax.random.normal(jax.random.key(0), (50, 7)) * jnp.logspace(-3, 2, 7)[None]
PAIRS = {
    "adam": (
        lambda dtype: optimizers.adam(0.1, eps=1e-8, mu_dtype=dtype),
        lambda dtype: optax.adam(0.1, mu_dtype=dtype),
    ),
    "adamw": (
        lambda dtype: optimizers.adamw(0.1, eps=1e-8, mu_dtype=dtype),
        lambda dtype: optax.adamw(0.1, weight_decay=0.01, mu_dtype=dtype),
    ),
    "momentum": (
        lambda dtype: optimizers.momentum(0.1, mu_dtype=dtype),
        lambda dtype: optax.sgd(0.1, 0.9, accumulator_dtype=dtype),
    ),
    "nesterov": (
        lambda dtype: optimizers.momentum(0.1, nesterov=True, mu_dtype=dtype),
        lambda dtype: optax.sgd(0.1, 0.9, nesterov=True, accumulator_dtype=dtype),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("ours, theirs", PAIRS.values(), ids=PAIRS)
def test_updates_are_optaxs(ours, theirs):
    """Optax rounds the decayed moment once more: a few roundings to bfloat16 of the largest."""
    got, want = (updates_of(make(jnp.bfloat16), GRADIENTS) for make in (ours, theirs))
    largest = jnp.abs(want).max(axis=0, keepdims=True)
    chex.assert_trees_all_close(got / largest, want / largest, atol=8 * 2**-9)
    got, want = (updates_of(make(None), GRADIENTS) for make in (ours, theirs))
    chex.assert_trees_all_close(got / largest, want / largest, atol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16], ids=str)
def test_the_moment_is_rounded_once_in_each_update(dtype):
    """As in float64, where only what is kept is rounded, up to ties."""
    got = updates_of(optimizers.scale_by_momentum(0.9, mu_dtype=dtype), GRADIENTS)
    velocity = np.zeros(7)
    for gradient, ours in zip(np.float64(GRADIENTS), np.float64(got), strict=True):
        velocity = 0.9 * velocity + gradient
        np.testing.assert_allclose(ours, velocity, rtol=1e-5, atol=1e-5 * np.abs(velocity).max())
        velocity = np.float64(np.asarray(ours, dtype))


@pytest.mark.parametrize("ours", [pair[0] for pair in PAIRS.values()], ids=PAIRS)
def test_only_the_first_moment_is_narrow(ours):
    params = jnp.ones(3, jnp.bfloat16)
    tx = ours(jnp.bfloat16)
    state = tx.init(params)
    _, after = tx.update(params, state, params)
    chex.assert_trees_all_equal_shapes_and_dtypes(state, after)
    for name in ("mu", "velocity"):
        for _, leaf in optax.tree.get_all_with_path(after, name):
            assert leaf.dtype == jnp.bfloat16
    for _, leaf in optax.tree.get_all_with_path(after, "nu"):
        assert leaf.dtype == jnp.float32


@pytest.mark.slow
@pytest.mark.parametrize("ours", [pair[0] for pair in PAIRS.values()], ids=PAIRS)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=str)
def test_it_runs_under_strict_promotion(ours, dtype):
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        params, tx = jnp.ones(3, dtype), ours(jnp.bfloat16)
        updates, _ = jax.jit(tx.update)(params, jax.jit(tx.init)(params), params)
        assert updates.dtype == dtype


@pytest.mark.parametrize("ours", [pair[0] for pair in PAIRS.values()], ids=PAIRS)
def test_other_dtypes_are_refused(ours):
    for bad in (jnp.int32, bool):
        with pytest.raises(TypeError, match="mu_dtype must be a floating dtype"):
            ours(bad)


@pytest.mark.parametrize("make", [optimizers.adam, optimizers.momentum])
def test_a_moment_beyond_float16_is_its_largest_number(make):
    """One gradient of 1e6 would make all later updates infinite."""
    tx = make(1e-3, mu_dtype=jnp.float16)
    state = tx.init(jnp.zeros(()))
    for gradient in (1e6, 1.0, -1e6, 1.0):
        update, state = tx.update(jnp.float32(gradient), state, jnp.zeros(()))
        assert jnp.isfinite(update)
    _, state = tx.update(jnp.float32(jnp.inf), state, jnp.zeros(()))
    assert not jnp.isfinite(next(x for x in jax.tree.leaves(state) if x.dtype == jnp.float16))
