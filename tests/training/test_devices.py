"""One step, many devices: the same numbers, and batches that cannot be divided are refused."""

import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from jaxtricks import optimizers, training
from tests.training.nets import Net, examples, start

ROOT = pathlib.Path(__file__).parents[2]


def test_one_two_and_eight_devices_agree_sharded_and_under_pmap():
    command = [sys.executable, "-m", "tests.training.many_devices"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "all agree"


def test_jitted_step_donates_its_state():
    tx = optimizers.adam(0.1)
    state, loss = start(Net(), tx)
    training.jit_step(training.make_train_step(loss, tx))(state, examples(6), jax.random.key(0))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))


def test_batches_that_cannot_be_divided_are_refused():
    tx = optimizers.adam(0.1)
    state, loss = start(Net(), tx)
    sharding = training.data_sharding()
    odd = examples(7)
    match = "a batch of 7 examples cannot be divided among 2 devices"
    for step in (
        training.shard_step(training.make_train_step(loss, tx), sharding),
        training.pmap_step(training.make_train_step(loss, tx, axis_name="devices")),
    ):
        with pytest.raises(ValueError, match=match):
            step(state, odd, jax.random.key(0))
    with pytest.raises(ValueError, match=match):
        training.place({"x": jnp.zeros(7)}, sharding)


def test_a_step_that_does_not_sum_over_devices_is_refused():
    """It would train on the first device's share alone."""
    tx = optimizers.adam(0.1)
    state, loss = start(Net(), tx)
    step = training.pmap_step(training.make_train_step(loss, tx))
    with pytest.raises(ValueError, match="step must sum over the devices: .*'devices'"):
        step(state, examples(6), jax.random.key(0))
