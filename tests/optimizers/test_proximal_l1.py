"""The lasso has a closed form when the design is orthogonal, and optimality conditions always."""

import functools

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

from jaxtricks import optimizers

STRENGTH = 0.4


@functools.partial(jax.jit, static_argnames="orthogonal")
def problem(orthogonal):
    design = jax.random.normal(jax.random.key(0), (30, 8))
    if orthogonal:
        design = jnp.linalg.qr(design)[0]
    truth = jnp.array([2.0, -1.5, 0.0, 0.1, 0.0, 0.3, -0.2, 1.0])
    noise = 0.1 * jax.random.normal(jax.random.key(1), (30,))
    return design, design @ truth + noise


def soft(x, threshold):
    return jnp.sign(x) * jnp.maximum(jnp.abs(x) - threshold, 0)


def solve(tx, design, target, steps=400):
    def body(carry, _):
        w, state = carry
        updates, state = tx.update(design.T @ (design @ w - target), state, w)
        w = optax.apply_updates(w, updates)
        residual = design @ w - target
        return (w, state), 0.5 * residual @ residual + STRENGTH * jnp.abs(w).sum()

    start = jnp.linspace(-1, 1, 8)
    (w, state), objective = jax.lax.scan(body, (start, tx.init(start)), length=steps)
    return w, state, objective


def ista(rate):
    return optax.chain(optimizers.gradient_descent(rate), optimizers.proximal_l1(rate, STRENGTH))


@pytest.mark.slow
@pytest.mark.parametrize(
    "rate", [0.3, 1.0, lambda t: 0.9 / (1 + t / 100)], ids=["short", "one step", "schedule"]
)
def test_orthogonal_lasso(rate):
    """w = soft(X'y, lambda), with its zeros exact."""
    design, target = problem(orthogonal=True)
    want = soft(design.T @ target, STRENGTH)
    got, *_ = solve(ista(rate), design, target, steps=200)
    chex.assert_trees_all_close(got, want, atol=2e-6)
    assert 2 <= int((want == 0).sum()) <= 6
    chex.assert_trees_all_equal(got == 0, want == 0)


@pytest.mark.slow
def test_fixed_point_obeys_the_optimality_conditions():
    """|X_j'r| <= lambda, and = lambda sign(w_j) where w_j is not 0; the objective never rises."""
    design, target = problem(orthogonal=False)
    rate = 1 / jnp.linalg.norm(design, 2) ** 2
    tx = ista(rate)
    w, state, objective = solve(tx, design, target)
    pull = design.T @ (target - design @ w)
    assert jnp.all(jnp.abs(pull) <= STRENGTH + 1e-4)
    assert bool((w == 0).any()) and bool((w != 0).any())
    chex.assert_trees_all_close(
        jnp.where(w == 0, 0, pull - STRENGTH * jnp.sign(w)), 0 * w, atol=1e-4
    )
    assert jnp.all(jnp.diff(objective) <= 1e-4)
    updates, _ = tx.update(-pull, state, w)
    chex.assert_trees_all_close(updates, 0 * w, atol=1e-6)


@pytest.mark.slow
def test_a_diagonal_metric_solves_another_problem():
    """With -alpha D g the strength on coordinate i is lambda / D_i, as the documentation warns."""
    design, target = problem(orthogonal=True)
    metric = jnp.linspace(0.2, 1.0, 8)
    scale = optax.stateless(lambda updates, params: metric * updates)
    got, *_ = solve(optax.chain(scale, ista(0.8)), design, target)
    want = soft(design.T @ target, STRENGTH / metric)
    chex.assert_trees_all_close(got, want, atol=2e-5)
    assert jnp.abs(want - soft(design.T @ target, STRENGTH)).max() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_zeros_are_exact_whatever_the_rounding(dtype):
    keys = jax.random.split(jax.random.key(2))
    params = jax.random.normal(keys[0], (4096,)).astype(dtype)
    updates = (jax.random.normal(keys[1], (4096,)) / 3).astype(dtype)
    tx = optimizers.proximal_l1(1.0, 0.25)
    moved, _ = tx.update(updates, tx.init(params), params)
    wide = params.astype(jnp.float32) + updates.astype(jnp.float32)
    zero = jnp.abs(wide) <= 0.25
    assert 100 < int(zero.sum()) < 4000
    assert bool(jnp.all(optax.apply_updates(params, moved)[zero] == 0))


def test_nan_is_not_taken_for_zero():
    tx, params = optimizers.proximal_l1(0.1, 1.0), jnp.ones(2)
    updates, _ = tx.update(jnp.array([jnp.nan, 0.0]), tx.init(params), params)
    assert jnp.isnan(updates[0]) and jnp.isfinite(updates[1])


def test_subgradient_descent_leaves_no_zeros():
    """Why this link exists: the same rate and strength with `add_l1`."""
    design, target = problem(orthogonal=True)
    tx = optax.chain(optimizers.add_l1(STRENGTH), optimizers.gradient_descent(0.3))
    w, *_ = solve(tx, design, target)
    assert int((w == 0).sum()) == 0
