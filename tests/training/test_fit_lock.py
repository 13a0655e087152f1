"""One writer in a run's folder, and Ctrl-C at once, even while a read hangs."""

import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from jaxtricks import _folder_lock
from tests.training.test_fit_folder import NUMBERS, run, same

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = """
import pathlib, sys, time
import jax
jax.config.update("jax_platforms", "cpu")
import numpy as np
from tests.training.test_fit_folder import NUMBERS, run

folder, hangs = pathlib.Path(sys.argv[1]), sys.argv[2] == "hangs"

class Slow:
    def __len__(self):
        return 8

    def __getitem__(self, indices):
        if hangs and (folder / "checkpoints").exists() and any((folder / "checkpoints").iterdir()):
            (folder / "hung").touch()
            time.sleep(600)
        return {"x": NUMBERS["x"][np.asarray(indices)]}

def hold(epoch, state, record):
    if not hangs:
        (folder / "holds").touch()
        time.sleep(600)

run(3, folder, train=Slow(), on_epoch=hold, resume=True)
"""


def start(folder, how):
    command = [sys.executable, "-c", PROGRAM, str(folder), how]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def wait_for(file, process):
    while not file.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.fixture
def holder(tmp_path):
    """A process that holds the folder's run."""
    process = start(tmp_path, "holds")
    wait_for(tmp_path / "holds", process)
    with process:
        yield process
        process.kill()


@pytest.mark.slow
def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path, holder):
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    match = rf"{tmp_path} is in use by another run \(process {holder.pid} on .*end the other run"
    for resume in (False, True):
        with pytest.raises(RuntimeError, match=match):
            run(2, tmp_path, resume=resume)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    holder.kill()  # leaves the file: the lock itself is gone
    holder.wait()
    assert (tmp_path / "lock").read_text()
    same(run(2, tmp_path, resume=True), run(2))
    assert (tmp_path / "lock").read_text() == ""


@pytest.mark.slow
def test_a_run_inside_a_run_is_refused_too(tmp_path):
    def again(epoch, state, record):
        with pytest.raises(RuntimeError, match="in use by another run .*of this process"):
            run(2, tmp_path, resume=True)

    run(1, tmp_path, on_epoch=again)
    same(run(2, tmp_path, resume=True), run(2))


FORK = """
import os, pathlib, runpy, signal, sys, time
locked = runpy.run_path(sys.argv[2])["locked"]  # which needs nothing else of the library
folder = pathlib.Path(sys.argv[1])
with locked(folder):
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
with locked(folder):
    os.kill(child, signal.SIGKILL)
"""


def test_a_child_that_outlives_its_run_does_not_hold_the_folder(tmp_path):
    command = [sys.executable, "-c", FORK, str(tmp_path), _folder_lock.__file__]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_where_there_are_no_locks_a_warning_says_so(tmp_path, monkeypatch):
    import fcntl

    def refuse(*arguments):
        raise OSError(_folder_lock.NO_LOCKS[0], "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    with pytest.warns(UserWarning, match=f"{tmp_path} cannot be locked .No locks available"):
        run(1, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("interrupts", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_ctrl_c_ends_a_hung_read_with_the_hint(tmp_path, interrupts):
    """The read would take ten minutes; the test's patience is less."""
    with start(tmp_path, "hangs") as process:
        try:
            wait_for(tmp_path / "hung", process)
            for _ in range(interrupts):
                time.sleep(0.2)
                process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode != 0 and "KeyboardInterrupt" in errors
    assert f"the run in {tmp_path} continues from its last checkpoint" in errors
    same(run(3, tmp_path, resume=True, train=Rows()), run(3, train=Rows()))


class Rows:
    """The numbers as a source."""

    def __len__(self):
        return 8

    def __getitem__(self, indices):
        return {"x": NUMBERS["x"][np.asarray(indices)]}


def test_a_system_without_such_locks_is_named(tmp_path, monkeypatch):
    """Windows has no `fcntl`: the folder was not locked, and nothing said so."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.warns(UserWarning, match=f"{tmp_path} cannot be locked .this system has no locks"):
        run(1, tmp_path)
