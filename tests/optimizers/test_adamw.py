"""AdamW against optax's, and what its mask and its schedules do."""

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

from jaxtricks import optimizers, schedules

PARAMS = {"kernel": jnp.array([[1.0, -2.0]]), "bias": jnp.array([0.5, 3.0])}


def train(tx, steps=20):
    def body(carry, step):
        params, state = carry
        grads = jax.tree.map(lambda p: jnp.cos(p + step), params)
        updates, state = tx.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), updates

    return jax.lax.scan(body, (PARAMS, tx.init(PARAMS)), jnp.arange(steps))[0][0]


@pytest.mark.slow
@pytest.mark.parametrize("mask", [None, optimizers.weights_only], ids=["all", "weights"])
def test_it_is_optaxs(mask):
    rate = schedules.linear_decay(0.1, 20)
    got = train(optimizers.adamw(rate, weight_decay=0.3, eps=1e-8, mask=mask))
    want = train(optax.adamw(rate, weight_decay=0.3, mask=mask))
    chex.assert_trees_all_close(got, want, rtol=2e-5)


@pytest.mark.slow
def test_the_decay_may_be_a_schedule():
    """Without gradients the parameters are the product of what each update leaves of them."""
    tx = optimizers.adamw(0.5, weight_decay=lambda count: 0.1 * (count + 1))
    params, state = PARAMS, tx.init(PARAMS)
    for share in (0.95, 0.9, 0.85):
        updates, state = tx.update(jax.tree.map(jnp.zeros_like, params), state, params)
        after = optax.apply_updates(params, updates)
        chex.assert_trees_all_close(after, jax.tree.map(lambda p: share * p, params), rtol=1e-6)  # noqa: B023
        params = after


@pytest.mark.parametrize(
    "make",
    [optimizers.add_l1, optimizers.add_l2, optimizers.add_decoupled_decay],
)
def test_penalties_take_schedules_too(make):
    tx = make(lambda count: jnp.where(count < 2, 0.0, 0.5))
    state, zeros = tx.init(PARAMS), jax.tree.map(jnp.zeros_like, PARAMS)
    for count in range(4):
        updates, state = tx.update(zeros, state, PARAMS)
        constant = make(0.5 if count >= 2 else 0.0)
        want, _ = constant.update(zeros, constant.init(PARAMS), PARAMS)
        chex.assert_trees_all_close(updates, want)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="weight_decay must be .*, got -0.1"):
        optimizers.adamw(0.1, weight_decay=-0.1)
    tx = optimizers.adamw(0.1)
    with pytest.raises(ValueError, match="params must be given"):
        tx.update(PARAMS, tx.init(PARAMS))
