"""Run in a process of its own: training that is killed again and again ends as if it never was.

Each run is a fork of this process, which has imported JAX and never used it. One chain: run,
SIGKILL, resume, with kills at any time and kills inside a save, and now and then a torn line in
the history. The end is compared bit for bit with the run that nobody disturbed.
"""

import gc
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import time
import traceback

import jax
import numpy as np
import orbax.checkpoint  # noqa: F401

from jaxtricks.control import early_stopping, plateau
from jaxtricks.training import data_sharding, fit
from tests.training.small_run import BATCH, examples, parts

EPOCHS = 30
KINDS = ("in a save", "at any time", "after an epoch")


def train(folder, devices, cache, save_every):
    """The whole run, or what is left of it."""
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", devices)
    jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    end = fit(
        *parts(steps=5 * EPOCHS),
        examples(72, 0),
        examples(33, 1),
        key=jax.random.key(3),
        epochs=EPOCHS,
        batch_size=BATCH,
        sharding=None if devices == 1 else data_sharding(),
        plateau=plateau(0.5, patience=2),
        stopping=early_stopping(EPOCHS),
        folder=folder,
        resume=True,
        save_every=save_every,
        progress=False,
    )
    leaves = jax.tree.leaves(jax.device_get(end.position))
    np.savez(folder / "end.npz", *leaves)


def start(*arguments):
    """Trains in a fork; gives its process number."""
    child = os.fork()
    if child == 0:
        gc.disable()
        status = 1
        try:
            train(*arguments)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return child


def lines(folder):
    history = folder / "history.jsonl"
    return history.read_bytes().count(b"\n") if history.exists() else 0


def unfinished(folder):
    return sorted((folder / "checkpoints").glob("*.tmp"))


def ended(child):
    """Whether the child is gone by itself; a failure of its own is ours."""
    done, status = os.waitpid(child, os.WNOHANG)
    assert not status, f"a run failed with {status}"
    return bool(done)


def wait_until(child, condition):
    while not condition():
        if ended(child):
            return False
        time.sleep(0.0002)
    return True


def disturb(folder, devices, cache, kind, rng):
    """Starts a run and kills it; gives whether it was inside a save, None if it ended before."""
    before, left = lines(folder), unfinished(folder)
    child = start(folder, devices, cache, 1)
    if kind == "at any time":
        deadline = time.monotonic() + rng.uniform(0, 1)
        going = wait_until(child, lambda: time.monotonic() > deadline)
    else:
        going = wait_until(child, lambda: lines(folder) > before)
    if kind == "in a save":
        going = going and wait_until(child, lambda: unfinished(folder) not in ([], left))
    time.sleep(rng.uniform(0, 0.02 if kind == "in a save" else 0.2))
    if not going or ended(child):
        return None
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if kind == "at any time" and lines(folder):
        with (folder / "history.jsonl").open("a") as history:
            history.write('{"epoch": 7, "tra')
    return unfinished(folder) not in ([], left)


def end_of(folder):
    """All numbers of a run but the times."""
    with np.load(folder / "end.npz") as file:
        leaves = [file[name] for name in file.files]
    records = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return leaves, [{**record, "seconds": None, "crc32": None} for record in records]


def check_end(disturbed, quiet):
    """The run that was killed ended as the one that nobody disturbed."""
    (leaves, records), (wanted, wanted_records) = end_of(disturbed), end_of(quiet)
    assert len(records) == EPOCHS and records == wanted_records
    for got, want in zip(leaves, wanted, strict=True):
        assert got.dtype == want.dtype and got.tobytes() == want.tobytes()


def chain(root, devices, kills):
    """Disturbs runs and compares each with another; gives how many kills were inside a save.

    On a fast machine a run may come to its end before all kills are done; then another begins.
    """
    rng = random.Random(devices)
    cache, quiet = root / "cache", root / "quiet"
    child = start(quiet, devices, cache, EPOCHS)
    assert os.waitpid(child, 0)[1] == 0
    disturbed, saves = root / "disturbed", []
    while len(saves) < kills:
        inside = disturb(disturbed, devices, cache, KINDS[len(saves) % 3], rng)
        if inside is None:
            check_end(disturbed, quiet)
            disturbed = disturbed.with_name(f"{disturbed.name} again")
        else:
            saves.append(inside)
    child = start(disturbed, devices, cache, 1)
    assert os.waitpid(child, 0)[1] == 0
    check_end(disturbed, quiet)
    return sum(saves)


def main():
    devices, kills = map(int, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        saves = chain(pathlib.Path(folder), devices, kills)
    print(f"{kills} kills, {saves} inside a save")


if __name__ == "__main__":
    main()
