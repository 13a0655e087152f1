"""Accumulated batches are the whole, if their sizes count."""

import functools
from typing import Any, cast

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import control, optimizers
from tests.untyped import untyped

SIZES = [128] * 7 + [104]


@functools.cache
def ragged_batches():
    """n = 1000 examples in batches of 128, the last of 104 (E-15), of a logistic loss."""
    x = np.random.default_rng(0).normal(size=(1000, 6)).astype(np.float32)
    x[-104:] += 1
    y = np.float32(x @ np.arange(-2.0, 4.0) > 0.5)

    def loss(w, x, y):
        return jnp.mean(jnp.logaddexp(0, x @ w) - y * (x @ w))

    w = jnp.full(6, 0.1)
    gradient = jax.jit(jax.grad(loss))
    whole = gradient(w, x, y)
    parts, start = [], 0
    for size in SIZES:
        chosen = slice(start, start + size)
        parts.append(gradient(w, x[chosen], y[chosen]))
        start += size
    return w, whole, jnp.stack(parts)


def last_update(tx, params, gradients, weights):
    updates, state = None, tx.init(params)
    for gradient, weight in zip(gradients, weights, strict=True):
        updates, state = tx.update(gradient, state, params, weight=weight)
    return updates


@pytest.mark.slow
def test_ragged_batches_are_the_full_batch():
    params, whole, parts = ragged_batches()
    got = last_update(
        optimizers.accumulate(optimizers.gradient_descent(1.0), 8), params, parts, SIZES
    )
    assert jnp.abs(got + whole).max() <= 1e-6


@pytest.mark.slow
def test_equal_weights_of_ragged_batches_are_biased():
    """The mean of the means, as `optax.MultiSteps` (S-LIB-09), is another vector."""
    params, whole, parts = ragged_batches()
    rule = optimizers.gradient_descent(1.0)
    tx = optimizers.accumulate(rule, 8, weighting="batch")
    got = last_update(tx, params, parts, SIZES)
    theirs = optax.MultiSteps(rule, 8)
    want, state = None, theirs.init(params)
    for part in parts:
        want, state = theirs.update(part, state, params)
    chex.assert_trees_all_close(got, want, atol=1e-7)
    assert jnp.abs(got + whole).max() > 1e-3


def test_how_large_the_bias_is():
    """E-15: if only the last 104 of 1000 count, 1/8 instead of 0.104: 20 % too much."""
    parts = jnp.array([0.0] * 7 + [1.0])
    for weighting, want in (("example", 0.104), ("batch", 0.125)):
        tx = optimizers.accumulate(optimizers.gradient_descent(1.0), 8, weighting=weighting)
        got = last_update(tx, jnp.zeros(()), parts, SIZES)
        assert -got == pytest.approx(want, rel=1e-6)


@pytest.mark.slow
def test_nothing_moves_until_the_last_gradient():
    tx: Any = optimizers.accumulate(optimizers.adam(0.1), 3)
    params = {"w": jnp.ones(2)}
    state = tx.init(params)
    start = state.inner
    for step in range(6):
        updates, after = tx.update({"w": jnp.array([1.0, -2.0])}, state, params)
        if step % 3 < 2:
            chex.assert_trees_all_equal(updates, {"w": jnp.zeros(2)})
            chex.assert_trees_all_equal(after.inner, state.inner)
            assert int(after.gathered) == step % 3 + 1 and float(after.weight) == step % 3 + 1
        else:
            assert jnp.all(updates["w"] != 0)
            assert int(after.gathered) == 0 and float(after.weight) == 0
            chex.assert_trees_all_equal(after.mean, {"w": jnp.zeros(2)})
        state = after
    assert int(start[0].count) == 0 and int(state.inner[0].count) == 2


@pytest.mark.slow
def test_equals_the_inner_rule_on_the_means():
    """A law, with a rule that has a state: accumulation commutes with taking means."""
    gradients = jax.random.normal(jax.random.key(3), (12, 4))
    weights = jnp.array([1.0, 5.0, 2.0] * 4)
    rule, params = optimizers.momentum(0.1, decay=0.9), jnp.zeros(4)
    tx = optimizers.accumulate(rule, 3)

    def body(state, inputs):
        gradient, weight = inputs
        updates, state = tx.update(gradient, state, params, weight=weight)
        return state, updates

    got = jax.lax.scan(body, tx.init(params), (gradients, weights))[1][2::3]
    means = jnp.einsum("kbj,kb->kj", gradients.reshape(4, 3, 4), weights.reshape(4, 3)) / 8
    state = rule.init(params)
    for mean, updates in zip(means, got, strict=True):
        want, state = rule.update(mean, state)
        chex.assert_trees_all_close(updates, want, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_vmaps_over_the_inner_rate_and_the_weights():
    params, _, parts = ragged_batches()

    def run(rate, weights):
        tx = optimizers.accumulate(optimizers.gradient_descent(rate), 8)
        return last_update(tx, params, parts, weights)

    rates, weights = jnp.array([0.1, 0.5]), jnp.array([SIZES, [1] * 8])
    got = jax.jit(jax.vmap(run))(rates, weights)
    want = np.stack([np.asarray(run(0.1, SIZES)), np.asarray(run(0.5, [1] * 8))])
    chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-7)


def needs_value():
    def update(updates, state, params=None, *, value, **extra_args):
        assert "weight" not in extra_args
        return jax.tree.map(lambda u: u * value, updates), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


@pytest.mark.parametrize("chained", [False, True])
def test_extra_arguments_reach_the_inner_rule(chained):
    """In a chain `optax.MultiSteps` loses them."""
    tx = optimizers.accumulate(needs_value(), 1)
    if chained:
        tx = optax.chain(tx, optimizers.gradient_descent(1.0))
    updates, _ = tx.update(jnp.ones(()), tx.init(jnp.ones(())), value=3.0, weight=2)
    assert abs(float(updates)) == 3.0
    lost = optax.chain(optax.MultiSteps(needs_value(), 1).gradient_transformation())
    with pytest.raises(TypeError, match="value"):
        lost.update(jnp.ones(()), lost.init(jnp.ones(())), value=3.0)


def test_weight_zero_does_not_count():
    tx: Any = optimizers.accumulate(optimizers.gradient_descent(1.0), 2)
    got = last_update(tx, jnp.zeros(()), jnp.array([2.0, jnp.nan]), [4, 0])
    assert float(got) == -2.0
    state = tx.init(jnp.zeros(()))
    for _ in range(2):
        updates, state = tx.update(jnp.ones(()), state, weight=0)
        assert float(updates) == 0.0 and not state.has_updated
    assert int(state.inner.count) == int(state.count) == 0 and int(state.gathered) == 0


def every_of(count):
    """1 gradient for the first two updates, then 3, then 2."""
    return jnp.where(count < 2, 1, jnp.where(count < 4, 3, 2))


@pytest.mark.slow
def test_a_scheduled_number_is_optaxs():
    """Every update and every answer of `has_updated`, through the changes of the number."""
    gradients = jax.random.normal(jax.random.key(1), (20, 4))
    rule, params = optimizers.adam(0.1), jnp.zeros(4)
    ours, theirs = optimizers.accumulate(rule, every_of), optax.MultiSteps(rule, every_of)

    def run(tx, answer):
        def body(state, gradient):
            updates, state = tx.update(gradient, state, params)
            return state, (updates, answer(state))

        return jax.lax.scan(body, tx.init(params), gradients)

    state, got = run(ours, lambda state: optax.tree.get(state, "has_updated"))
    their_state, want = run(theirs, theirs.has_updated)
    chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-7)
    assert [int(i) for i in jnp.nonzero(got[1])[0]] == [0, 1, 4, 7, 9, 11, 13, 15, 17, 19]
    assert int(optax.tree.get(state, "gathered")) == int(their_state.mini_step)
    assert int(optax.tree.get(state.inner, "AdamState").count) == int(their_state.gradient_step)


def test_a_number_from_our_schedules_is_rounded_down_and_at_least_one():
    for number, want in ((2.9, 2), (0.0, 1), (-3.0, 1)):
        tx: Any = optimizers.accumulate(optimizers.gradient_descent(1.0), lambda count, n=number: n)
        state, calls = tx.init(jnp.zeros(())), 0
        while not state.has_updated:
            _, state = tx.update(jnp.ones(()), state)
            calls += 1
        assert calls == want


def test_refusals():
    rule = optimizers.gradient_descent(0.1)
    with pytest.raises(ValueError, match="every must be at least 1, got 0"):
        optimizers.accumulate(rule, 0)
    with untyped(), pytest.raises(TypeError, match="every must be an integer, got 2.5"):
        optimizers.accumulate(rule, cast(Any, 2.5))
    with pytest.raises(TypeError, match="tx"):
        optimizers.accumulate(0.1, 2)
    tx = optimizers.accumulate(rule, 2)
    with pytest.raises(ValueError, match="weight must be in .* got -1"):
        tx.update(jnp.ones(()), tx.init(jnp.ones(())), weight=-1)


def test_metric_belongs_to_the_last_of_the_calls():
    tx: Any = optimizers.accumulate(
        optimizers.scale_by_plateau(control.plateau(0.1, patience=0)), 2
    )
    for metrics, want in (((1.0, None), 1.0), ((None, 1.0), 0.1)):
        updates, state = jnp.zeros(()), tx.init(jnp.ones(()))
        for metric in metrics * 2:
            updates, state = tx.update(jnp.ones(()), state, value=metric)
        assert float(updates) == pytest.approx(want)


@pytest.mark.parametrize("given", [float("nan"), jnp.array([1, 2]), "3"])
def test_a_scheduled_number_that_is_none_is_named(given):
    tx = optimizers.accumulate(optimizers.gradient_descent(0.1), lambda count: given)
    with untyped(), pytest.raises((ValueError, TypeError), match="the value of every must be"):
        tx.update(jnp.ones(()), tx.init(jnp.ones(())))
