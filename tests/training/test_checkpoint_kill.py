"""Saves that are killed, interrupted or out of space; earlier checkpoints stay whole."""

import multiprocessing
import os
import resource
import signal
import time

import jax
import numpy as np
import pytest

from jaxtricks.training import restore, save

SIZE = 1_500_000
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["jaxtricks.training", "orbax.checkpoint"])


def content(step):
    return {"x": np.random.default_rng(step).random(SIZE)}


def save_for_ever(folder, first, connection):
    jax.config.update("jax_platforms", "cpu")
    for step in range(first, first + 1000):
        save(folder, content(step), step=step, metric=0.0 if step == 2 else 1.0)
        connection.send(step)


def start(target, *arguments):
    process = PROCESSES.Process(target=target, args=arguments)
    process.start()
    return process


@pytest.mark.slow
@pytest.mark.parametrize(("kill", "times"), [(signal.SIGKILL, 5), (signal.SIGINT, 2)])
def test_a_killed_save_costs_no_earlier_checkpoint(tmp_path, kill, times):
    generator = np.random.default_rng(kill)
    newest, inside = 0, 0
    for _ in range(times):
        receiver, sender = PROCESSES.Pipe(duplex=False)
        process = start(save_for_ever, tmp_path, newest + 1, sender)
        sender.close()
        for _ in range(2):
            assert receiver.poll(60)
            newest = receiver.recv()
        time.sleep(generator.uniform(0.0, 0.15))
        os.kill(process.pid, kill)
        process.join(60)
        assert process.exitcode not in (0, None)
        while receiver.poll():
            try:
                newest = receiver.recv()
            except EOFError:
                break
        inside += any(name.endswith(".tmp") for name in os.listdir(tmp_path))
        restored = restore(tmp_path, {"x": np.zeros(SIZE)})
        assert restored.step in (newest, newest + 1)
        np.testing.assert_array_equal(restored.tree["x"], content(restored.step)["x"])
        assert restore(tmp_path, {"x": np.zeros(SIZE)}, which="best").step == 2
        newest = restored.step
    assert inside or kill != signal.SIGKILL


def fill_the_disk(folder, connection):
    jax.config.update("jax_platforms", "cpu")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    try:
        save(folder, content(2), step=2)
    except OSError as error:
        connection.send(str(error))
    connection.send(sorted(os.listdir(folder)))


def test_a_full_disk_is_an_error_that_names_the_folder(tmp_path):
    save(tmp_path, content(1), step=1)
    receiver, sender = PROCESSES.Pipe(duplex=False)
    process = start(fill_the_disk, tmp_path, sender)
    assert receiver.poll(60)
    assert f"cannot save the tree of step 2 in {tmp_path}: " in receiver.recv()
    assert receiver.poll(60)
    assert receiver.recv() == ["00000001"]
    process.join(60)
    restored = restore(tmp_path, {"x": np.zeros(SIZE)})
    np.testing.assert_array_equal(restored.tree["x"], content(1)["x"])
