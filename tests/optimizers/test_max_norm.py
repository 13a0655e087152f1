"""Max-norm: a projection onto a ball for each unit, and nothing where it lies inside."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import optimizers
from tests.untyped import untyped

KEY = jax.random.key(0)


def ends(tx, params, updates):
    return jax.jit(lambda p, u: optax.apply_updates(p, tx.update(u, tx.init(p), p)[0]))(
        params, updates
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape, axis, others", [((5, 7), -1, (0,)), ((5, 7), 0, (1,)), ((3, 3, 4, 6), -1, (0, 1, 2))]
)
def test_it_is_the_projection_onto_the_balls_of_all_units(shape, axis, others):
    """In float64: no vector is too long, none turns, and those inside of the ball do not move."""
    w, u = jax.random.normal(KEY, shape), 0.5 * jax.random.normal(jax.random.key(1), shape)
    free = np.asarray(w, np.float64) + np.asarray(u, np.float64)
    norms = np.sqrt(np.sum(free**2, axis=others, keepdims=True))
    limit = (norms.max() + norms.min()) / 2
    got = np.asarray(ends(optimizers.max_norm(limit, axis=axis), w, u), np.float64)
    assert np.any(norms > limit) and np.any(norms < limit)
    np.testing.assert_allclose(got, free * np.minimum(1, limit / norms), rtol=1e-5, atol=1e-6)
    inside = np.broadcast_to(norms < limit * (1 - 1e-6), shape)
    np.testing.assert_array_equal(got[inside], np.asarray(w + u, np.float64)[inside])


def test_no_square_overflows_or_vanishes():
    """An update can hold the way back from 3,000, to seven digits of that, but not from 3e30."""
    w = jnp.array([[3e3, 3e-30, 0.0, 3e30], [4e3, 4e-30, 0.0, 4e30]])
    got = ends(optimizers.max_norm(1.0), w, jnp.zeros_like(w))
    np.testing.assert_allclose(got[:, 0], [0.6, 0.8], atol=3e-4)
    chex.assert_trees_all_equal(got[:, 1:3], w[:, 1:3])
    assert np.all(np.abs(got[:, 3]) <= 1)


def test_a_net_trained_with_it_ends_at_the_limit():
    """The loss pulls the kernel out of the ball; the bias is free."""
    target = {"kernel": jnp.array([[3.0, 0.1], [4.0, 0.2]]), "bias": jnp.array([9.0, 9.0])}
    rule = optimizers.momentum(0.1, decay=0.9)
    tx = optax.chain(rule, optimizers.max_norm(1.0, mask=optimizers.weights_only))

    def body(carry, _):
        params, state = carry
        slope = jax.tree.map(jnp.subtract, params, target)
        updates, state = tx.update(slope, state, params)
        return (optax.apply_updates(params, updates), state), None

    params = jax.tree.map(jnp.zeros_like, target)
    (params, _), _ = jax.jit(lambda c: jax.lax.scan(body, c, length=400))((params, tx.init(params)))
    np.testing.assert_allclose(params["kernel"], [[0.6, 0.1], [0.8, 0.2]], rtol=1e-3)
    np.testing.assert_allclose(params["bias"], [9.0, 9.0], rtol=1e-3)


def test_a_limit_of_0_leaves_nothing():
    w = jnp.array([[3.0, 0.0], [-4.0, 0.0]])
    assert ends(optimizers.max_norm(0.0), w, jnp.ones_like(w)).tolist() == [[0.0] * 2] * 2


def test_limits_are_mapped():
    w, limits = jax.random.normal(KEY, (4, 5)), np.array([0.1, 1.0, 10.0], np.float32)
    got = jax.jit(jax.vmap(lambda c: ends(optimizers.max_norm(c), w, jnp.zeros_like(w))))(limits)
    want = [ends(optimizers.max_norm(c), w, jnp.zeros_like(w)) for c in limits]
    np.testing.assert_allclose(got, np.stack(want), rtol=1e-5, atol=1e-6)  # w + (end - w)


def test_bad_arguments_are_named():
    for bad in (-0.1, -1.0, float("nan")):
        with pytest.raises(ValueError, match=f"limit must be in .*got {bad}"):
            optimizers.max_norm(bad)
    with untyped(), pytest.raises(TypeError, match="axis must be an integer, got 0.5"):
        optimizers.max_norm(1.0, axis=0.5)
    tx, params = optimizers.max_norm(1.0, axis=1), {"a": jnp.ones((2, 2)), "b": jnp.ones(2)}
    with pytest.raises(
        ValueError,
        match=r"axis must be one .* of params\['b'\], got 1; exclude the parameter by mask",
    ):
        tx.update(params, tx.init(params), params)


def test_gradients_by_weights_that_are_0_are_finite():
    def length(w):
        tx = optimizers.max_norm(3.0)
        return jnp.sum(w + tx.update(jnp.zeros(2), tx.init(w), w)[0])

    assert jax.jit(jax.grad(length))(jnp.zeros(2)).tolist() == [1, 1]
