"""What Keras's base class does around each rule, against optax and closed forms."""

from typing import Any, cast

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

from jaxtricks import presets
from tests.presets.cases import NO_CLIPPING

PARAMS = {"a": jnp.zeros(2), "b": jnp.zeros(1)}
GRADS = {"a": jnp.array([3.0, 4.0]), "b": jnp.array([12.0])}


def clipped(grads=GRADS, **arguments):
    tx = presets.keras.sgd(1.0, **arguments)
    return jax.tree.map(jnp.negative, tx.update(grads, tx.init(PARAMS), PARAMS)[0])


@pytest.mark.parametrize(
    "kind, bound, want",
    [
        ("clipnorm", 6.0, {"a": [3.0, 4.0], "b": [6.0]}),
        ("clipnorm", 1.0, {"a": [0.6, 0.8], "b": [1.0]}),
        ("global_clipnorm", 6.5, {"a": [1.5, 2.0], "b": [6.0]}),
        ("global_clipnorm", 13.0, {"a": [3.0, 4.0], "b": [12.0]}),
        ("clipvalue", 3.5, {"a": [3.0, 3.5], "b": [3.5]}),
    ],
)
def test_gradients_are_clipped(kind, bound, want):
    want = {name: jnp.array(values) for name, values in want.items()}
    chex.assert_trees_all_close(clipped(**{kind: bound}), want, rtol=1e-6)
    chex.assert_trees_all_close(clipped(**{kind: jnp.float32(bound)}), want, rtol=1e-6)


@pytest.mark.parametrize("kind", NO_CLIPPING)
def test_bounds_are_data(kind):
    """A bound of 0 clips nothing, as in Keras; traced too."""
    bounds = jnp.array([0.0, 1.0, 20.0])
    got = jax.jit(jax.vmap(lambda bound: clipped(**{kind: bound})))(bounds)
    for row, bound in enumerate((0, 1.0, 20.0)):
        one = jax.tree.map(lambda x, row=row: x[row], got)
        chex.assert_trees_all_close(one, clipped(**{kind: bound}), rtol=1e-6)
    chex.assert_trees_all_equal(jax.tree.map(lambda x: x[0], got), GRADS)
    zeros = jax.tree.map(jnp.zeros_like, GRADS)
    with jax.debug_nans(True):
        for bound in (0.0, 1.0):
            chex.assert_trees_all_equal(clipped(zeros, **{kind: jnp.float32(bound)}), zeros)


@pytest.mark.parametrize("kind", ["clipnorm", "global_clipnorm"])
def test_huge_gradients_are_clipped_to_the_bound(kind):
    """Their squares overflow in float32."""
    huge = {"a": jnp.array([3e30, 4e30]), "b": jnp.zeros(1)}
    want = {"a": jnp.array([0.6, 0.8]), "b": jnp.zeros(1)}
    chex.assert_trees_all_close(clipped(huge, **{kind: 1.0}), want, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", NO_CLIPPING)
def test_it_runs_under_strict_promotion_and_with_leaves_of_several_dtypes(kind):
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        grads = {"a": jnp.ones(2, jnp.float64), "b": jnp.ones(2, jnp.bfloat16), "c": None}
        tx = presets.keras.adam(0.1, **{kind: 0.5})
        updates, _ = jax.jit(tx.update)(grads, jax.jit(tx.init)(grads), grads)
        chex.assert_trees_all_equal_shapes_and_dtypes(updates, grads)
        tx.update({}, tx.init({}), {})


def test_the_average_is_optaxs_from_the_first_point_on():
    """Steps of -1: the points are -1, -2, -3, and their average starts at the first."""
    tx = presets.keras.sgd(1.0, use_ema=True, ema_momentum=0.75)
    params = jnp.zeros(2)
    state, want = tx.init(params), None
    for step in range(1, 6):
        updates, state = tx.update(jnp.ones(2), state, params)
        params = cast(Any, optax.apply_updates(params, updates))
        assert params.tolist() == [-step, -step]
        want = params if want is None else optax.incremental_update(params, want, 0.25)
        chex.assert_trees_all_close(optax.tree.get(state, "average"), want, rtol=1e-6)


def test_the_average_needs_the_parameters():
    tx = presets.keras.sgd(use_ema=True)
    with pytest.raises(ValueError, match="params must be given"):
        tx.update(PARAMS, tx.init(PARAMS))
