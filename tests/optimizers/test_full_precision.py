"""bfloat16 parameters with a float32 copy against the run in float32."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import control, optimizers, training

START = jnp.concatenate([jnp.linspace(0.5, 2.0, 40), -jnp.linspace(0.5, 2.0, 40)])


def train(tx, params, gradients):
    """The parameters after each update, and the last state."""

    def body(carry, gradient):
        params, state = carry
        updates, state = tx.update(gradient.astype(params.dtype), state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    (_, state), seen = jax.jit(lambda: jax.lax.scan(body, (params, tx.init(params)), gradients))()
    return seen, state


@pytest.mark.slow
def test_weight_decay_survives():
    """1,000 updates that each take 1e-4 leave (1 - 1e-4)^1000; without the copy, everything."""
    tx = optimizers.adamw(1e-2, weight_decay=1e-2)
    start, none = START.astype(jnp.bfloat16), jnp.zeros((1000, len(START)))
    lost, _ = train(tx, start, none)
    chex.assert_trees_all_equal(lost[-1], start)
    got, _ = train(optimizers.full_precision(tx), start, none)
    want = np.float64(start) * (1 - 1e-4) ** 1000
    np.testing.assert_allclose(np.float64(got[-1]), want, rtol=2**-8)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16], ids=str)
@pytest.mark.parametrize(
    "tx",
    [optimizers.adamw(1e-3), optimizers.momentum(1e-4), optimizers.accumulate(optax.sgd(1e-3), 3)],
    ids=["adamw", "momentum", "accumulate"],
)
def test_the_parameters_are_those_of_the_float32_run_rounded(tx, dtype):
    start = START.astype(dtype)
    noise = jax.random.normal(jax.random.key(0), (500, len(START)))
    gradients = noise.astype(dtype).astype(jnp.float32)
    want, _ = train(tx, start.astype(jnp.float32), gradients)
    got, state = train(optimizers.full_precision(tx), start, gradients)
    chex.assert_trees_all_close(state.params, want[-1], rtol=1e-6)
    chex.assert_trees_all_equal(got[-1], state.params.astype(dtype))
    rounded = jax.lax.optimization_barrier(want.astype(dtype))
    assert jnp.mean(got == rounded) > 0.999  # the rest: the runs' last bits beside a tie


def test_a_jump_is_off_by_the_rounding_of_the_update_and_put_right_by_the_next():
    tx = optimizers.full_precision(optimizers.gradient_descent(1.0))
    params, gradients = jnp.full((), 100, jnp.bfloat16), jnp.array([99.5, 0.0])
    seen, state = train(tx, params, gradients)
    target = float(jnp.bfloat16(100 - 99.5))
    assert abs(float(seen[0]) - target) <= 2**-9 * 99.5
    assert float(seen[1]) == float(state.params.astype(jnp.bfloat16)) == target


@pytest.mark.slow
def test_wide_parameters_are_updated_as_without_it():
    tx = optimizers.adamw(1e-3)
    gradients = jax.random.normal(jax.random.key(0), (20, len(START)))
    got, state = train(optimizers.full_precision(tx), START, gradients)
    chex.assert_trees_all_equal(got, train(tx, START, gradients)[0])
    chex.assert_trees_all_equal(state.params, got[-1])


def test_it_needs_the_parameters():
    tx = optimizers.full_precision(optimizers.gradient_descent(0.1))
    with pytest.raises(ValueError, match="params must be given"):
        tx.update(START, tx.init(START))
    with pytest.raises(TypeError, match="tx"):
        optimizers.full_precision(optimizers.gradient_descent)


def loss(params, model_state, batch, keys, *, train):
    del keys, train
    return batch["x"] * params["w"].astype(jnp.float32), (model_state, {})


def steps_of(tx, scale, steps=64):
    ours = training.trainer(loss, tx)
    state = ours.init({"params": {"w": jnp.ones((), jnp.bfloat16)}})
    state = dataclasses.replace(state, learning_rate_scale=jnp.float32(scale))
    batch = {"x": jnp.ones(2), "weight": jnp.ones(2)}
    step = jax.jit(ours.step)
    for _ in range(steps):
        state, _ = step(state, batch, jax.random.key(0))
    return float(state.params["w"])


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 0.25, 0.0])
def test_the_trainers_scale_scales_the_steps_of_the_copy(scale):
    """64 steps of 2^-10, all exact."""
    tx = optimizers.full_precision(optimizers.gradient_descent(2.0**-10))
    assert steps_of(tx, scale) == 1 - scale * 64 * 2.0**-10


def test_in_a_trainer_it_wraps_the_whole_rule():
    rule = optimizers.full_precision(optimizers.gradient_descent(0.1))
    for tx in (optax.chain(rule), optimizers.accumulate(rule, 2)):
        with pytest.raises(ValueError, match="full_precision must wrap the whole rule"):
            steps_of(tx, 1.0, 1)


def test_a_rule_that_takes_a_metric_gets_it():
    tx = optimizers.full_precision(
        optax.chain(
            optimizers.scale_by_plateau(control.plateau(0.5, patience=0)),
            optimizers.gradient_descent(2.0**-10),
        )
    )
    assert steps_of(tx, 1.0, 1) == pytest.approx(1 - 2.0**-10, abs=2**-9)


@pytest.mark.slow
def test_it_maps_and_differentiates_over_the_rate():
    params = jnp.ones(3, jnp.bfloat16)

    def update(rate):
        tx = optimizers.full_precision(optimizers.gradient_descent(rate))
        return jnp.asarray(tx.update(params, tx.init(params), params)[0], jnp.float32)

    rates = jnp.array([2.0**-4, 2.0**-3])
    assert jax.vmap(update)(rates).tolist() == [[-(2.0**-4)] * 3, [-(2.0**-3)] * 3]
    assert jax.grad(lambda rate: jnp.sum(update(rate)))(0.125) == -3
