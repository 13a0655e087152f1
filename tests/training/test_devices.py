"""One step, many devices: the same numbers, and batches that cannot be divided are refused."""

import pathlib
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from jaxtricks import optimizers, training
from tests.training.nets import Net, examples, start
from tests.untyped import untyped

ROOT = pathlib.Path(__file__).parents[2]


def test_one_two_and_eight_devices_agree_sharded_and_under_pmap():
    command = [sys.executable, "-m", "tests.training.many_devices"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "all agree"


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_each_device_computes_its_share_of_each_part(parts):
    """The compiled program moves no example, and its products have half of a part's rows."""
    net, tx = Net(rate=0.5, batch_norm=True), optimizers.momentum(0.1, decay=0.9)
    trainer, state = start(net, tx, accumulate=parts)
    rows = training.data_sharding(jax.devices()[:2])
    everywhere = training.replicated(rows)
    placed = {"in_shardings": (everywhere, rows, everywhere), "out_shardings": everywhere}
    step = jax.jit(trainer.step, **placed)
    program = step.lower(state, examples(32), jax.random.key(0)).compile().as_text()
    moves = re.findall(r"(?:all-gather|all-to-all|collective-permute)(?:-start)?\(", program)
    assert not moves
    forward = re.findall(r"= f32\[(\d+),3\]\S* dot\(", program)  # the net's three logits
    assert forward and set(forward) == {str(32 // parts // 2)}


def test_jitted_step_donates_its_state():
    tx = optimizers.adam(0.1)
    trainer, state = start(Net(), tx)
    training.jit_step(trainer)(state, examples(6), jax.random.key(0))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))


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
