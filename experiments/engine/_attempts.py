"""Running scripts side by side, one process for each core."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from experiments.engine._freeze import ReplacementRefused
from experiments.engine._run import redraw_script, run_script
from experiments.engine._script import Script

PATIENCE = 2.0  # seconds


class Task(NamedTuple):
    """What to do with a script; see the command line's options."""

    preset: str
    out: Path
    force: bool
    redraw: bool


class Attempt(NamedTuple):
    """What came of it: a picture or none, a line to print, whether it failed, and the seconds that
    it took if it was done."""

    picture: Path | None
    line: str
    failed: bool = False
    seconds: float | None = None


def attempts(scripts: list[Script], task: Task, jobs: int) -> Iterator[tuple[Script, Attempt]]:
    """Tries every script, `jobs` at a time, in the order in which they end.

    Those that measure seconds (`ALONE`) come last, one after another with nothing beside them.
    """
    together = [script for script in scripts if not script.alone] if jobs > 1 else []
    if len(together) > 1:
        yield from _side_by_side(together, task, min(jobs, len(together)))
        scripts = [script for script in scripts if script.alone]
    for script in scripts:
        yield script, attempt(script, task)


def attempt(script: Script, task: Task) -> Attempt:
    """Runs or redraws one script; a failure is a line, only Ctrl-C goes on."""
    start = time.perf_counter()
    try:
        if task.redraw:
            picture = redraw_script(script, task.out, force=task.force)
        else:
            picture = run_script(script, task.preset, task.out, force=task.force)
        seconds = round(time.perf_counter() - start, 2)
        return Attempt(picture, f"{seconds:.1f} s", seconds=seconds)
    except ReplacementRefused as kept:
        return Attempt(None, f"kept: {kept}")
    except Exception as error:
        return Attempt(None, f"FAILED: {type(error).__name__}: {error}", failed=True)


def _side_by_side(scripts: list[Script], task: Task, jobs: int) -> Iterator[tuple[Script, Attempt]]:
    spawn = multiprocessing.get_context("spawn")  # JAX's threads do not survive a fork
    ignore = (signal.SIGINT, signal.SIG_IGN)  # while it waits: Ctrl-C reaches every process
    with ProcessPoolExecutor(jobs, spawn, initializer=signal.signal, initargs=ignore) as pool:
        running = {pool.submit(_in_worker, script.name, task): script for script in scripts}
        try:
            for ended in as_completed(running):
                error = ended.exception()
                if error is None:
                    yield running[ended], ended.result()
                else:
                    line = f"FAILED: {type(error).__name__}: {error}"
                    yield running[ended], Attempt(None, line, failed=True)
        except (KeyboardInterrupt, GeneratorExit):  # in here, or while the caller prints
            _end(multiprocessing.active_children())
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _end(workers: list[multiprocessing.Process]) -> None:
    """Lets them tidy up; one that takes long is computing, and writes nothing."""
    for worker in workers:
        os.kill(worker.pid or 0, signal.SIGINT)
    deadline = time.monotonic() + PATIENCE
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
        worker.kill()


def _in_worker(name: str, task: Task) -> Attempt:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return attempt(Script(name), task)
    except KeyboardInterrupt:
        os._exit(130)  # what was half done is cleaned up, and nothing else is begun
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
