"""One step, many devices: the same numbers, and batches that cannot be divided are refused."""

import dataclasses
import functools
import pathlib
import re
import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import optimizers, training
from tests.training.nets import Net, examples, start
from tests.untyped import untyped

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.slow
def test_one_two_and_eight_devices_agree_sharded_and_under_pmap():
    command = [sys.executable, "-m", "tests.training.many_devices"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "all agree"


@pytest.mark.slow
@pytest.mark.parametrize("parts", [1, 2, 4])
def test_each_device_computes_its_share_of_each_part(parts):
    """The compiled program moves no example, and its products have half of a part's rows."""
    net, tx = Net(rate=0.5, batch_norm=True), optimizers.momentum(0.1, decay=0.9)
    trainer, state = start(net, tx, accumulate=parts)
    rows = training.data_sharding(jax.devices()[:2])
    everywhere = training.replicated(rows)
    placed = {"in_shardings": (everywhere, rows, everywhere), "out_shardings": everywhere}
    step = jax.jit(trainer.step, **placed)
    program = str(step.lower(state, examples(32), jax.random.key(0)).compile().as_text())
    moves = re.findall(r"(?:all-gather|all-to-all|collective-permute)(?:-start)?\(", program)
    assert not moves
    forward = re.findall(r"= f32\[(\d+),3\]\S* dot\(", program)  # the net's three logits
    assert forward and set(forward) == {str(32 // parts // 2)}


@pytest.mark.slow
def test_jitted_step_donates_its_state():
    tx = optimizers.adam(0.1)
    trainer, state = start(Net(), tx)
    training.jit_step(trainer)(state, examples(6), jax.random.key(0))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))


STEPS = {
    "jit": (training.jit_step, None),
    "shard": (lambda trainer: training.shard_step(trainer, training.data_sharding()), None),
    "pmap": (training.pmap_step, "devices"),
}


def tied(state, leaf):
    """The state with one leaf in each place of its shape, parameters and moments alike."""
    return jax.tree.map(lambda x: leaf if jnp.shape(x) == jnp.shape(leaf) else x, state)


STATES = {
    "tied": lambda state: tied(state, jnp.full((16, 3), 0.25)),
    "tied, of NumPy": lambda state: tied(state, np.full((16, 3), 0.25, np.float32)),
    "views of one array": lambda state: tied(state, np.full((2, 16, 3), 0.25, np.float32)[1]),
    "of NumPy": jax.device_get,
    "on both devices": lambda s: jax.device_put(s, training.replicated(training.data_sharding())),
    "tied, on both devices": lambda state: tied(
        state,
        jax.device_put(jnp.full((16, 3), 0.25), training.replicated(training.data_sharding())),
    ),
    "on the other device": lambda state: jax.device_put(state, jax.devices()[1]),
    "one scalar": lambda state: tied(state, jnp.zeros((), jnp.int32)),
}


@functools.cache
def compiled(how):
    """The step, the same on one device, and a state to begin with."""
    compile_step, axis_name = STEPS[how]
    trainer, state = start(Net(), optimizers.momentum(0.1, decay=0.9), axis_name=axis_name)
    plain, _ = start(Net(), optimizers.momentum(0.1, decay=0.9))
    return compile_step(trainer), jax.jit(plain.step), jax.device_get(state)


@pytest.mark.slow
@pytest.mark.parametrize("kind", STATES)
@pytest.mark.parametrize("how", STEPS)
def test_a_donated_state_may_hold_one_array_twice_and_the_caller_s_own(how, kind):
    """Two donations of one buffer end the process on several devices."""
    step, plain, first = compiled(how)
    state, batch, key = STATES[kind](jax.tree.map(jnp.array, first)), examples(6), jax.random.key(0)
    values = jax.device_get(state)
    want, after = values, state
    for _ in range(3):
        want, _ = plain(want, batch, key)
        after, _ = step(after, batch, key)
    chex.assert_trees_all_close(
        jax.device_get(after.params), jax.device_get(want.params), rtol=1e-4, atol=1e-5
    )
    for leaf, value in zip(jax.tree.leaves(state), jax.tree.leaves(values), strict=True):
        if isinstance(leaf, np.ndarray):
            np.testing.assert_array_equal(leaf, value)


@pytest.mark.slow
def test_a_donated_state_may_hold_what_is_in_the_batch():
    def loss(params, model_state, batch, keys, *, train):
        return jnp.sum((batch["x"] @ params) ** 2, axis=1), (model_state, {})

    trainer = training.trainer(loss, optimizers.gradient_descent(0.01))
    x = jnp.eye(2)
    state = trainer.init({"params": jnp.zeros(2)})
    state = dataclasses.replace(state, params=x)
    after, _ = training.jit_step(trainer)(state, {"x": x, "weight": x[0]}, jax.random.key(0))
    assert after.params.shape == (2, 2)
    assert x.tolist() == [[1, 0], [0, 1]]


@pytest.mark.slow
def test_batches_that_cannot_be_divided_are_refused():
    tx = optimizers.adam(0.1)
    trainer, state = start(Net(), tx)
    mapped, _ = start(Net(), tx, axis_name="devices")
    sharding = training.data_sharding()
    odd = examples(7)
    match = "a batch of 7 examples cannot be divided among 2 devices"
    for step in (training.shard_step(trainer, sharding), training.pmap_step(mapped)):
        with pytest.raises(ValueError, match=match):
            step(state, odd, jax.random.key(0))
    with pytest.raises(ValueError, match=match):
        training.place_batch({"x": jnp.zeros(7)}, sharding)


def test_a_step_is_compiled_for_what_its_axis_says():
    """Without sums over the devices each would train on its own share alone."""
    trainer, _ = start(Net(), optimizers.adam(0.1))
    with pytest.raises(ValueError, match="trainer must have an axis_name, .* got None"):
        training.pmap_step(trainer)
    mapped, _ = start(Net(), optimizers.adam(0.1), axis_name="devices")
    for compiled in (
        training.jit_step,
        lambda t: training.shard_step(t, training.data_sharding()),
    ):
        with pytest.raises(ValueError, match="must have axis_name=None, got 'devices'"):
            compiled(mapped)
        with untyped(), pytest.raises(TypeError, match="trainer must be a Trainer, got"):
            compiled(mapped.step)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["shard", "pmap"])
def test_a_number_for_all_examples_reaches_each_device(how):
    def loss(params, model_state, batch, keys, *, train):
        return params * batch["x"] * batch["scale"], (model_state, {})

    compile_step, axis_name = STEPS[how]
    trainer = training.trainer(loss, optimizers.gradient_descent(1.0), axis_name=axis_name)
    state = trainer.init({"params": jnp.zeros(())})
    batch = {"scale": jnp.float32(2), "x": jnp.arange(4.0)}
    state, _ = compile_step(trainer)(state, batch, jax.random.key(0))
    assert float(state.params) == -3.0
