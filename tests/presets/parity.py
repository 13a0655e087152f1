"""Presets against the golden tables: how the parity error of law 5 is measured."""

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from tests.golden.generate import CUT

GOLDEN = Path(__file__).parent.parent / "golden"


def facts(framework, folder=GOLDEN):
    """Versions, signatures and rates."""
    return json.loads((folder / f"{framework}.json").read_text())


def table(framework, folder=GOLDEN):
    """`gradients`, `params`, `updates_N` for case N, and `points_N` if it has weight decay."""
    with np.load(folder / f"{framework}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def generate(framework, folder):
    """Makes the table anew, its gradients as JAX draws them when it compiles with usual care."""
    command = [sys.executable, "-m", "tests.golden.generate", framework, "--out", str(folder)]
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    subprocess.run(command, check=True, cwd=GOLDEN.parent.parent, env=environment)


def our_updates(tx, golden, case):
    """Our float32 updates in golden case number `case`.

    With weight decay each starts from the framework's own parameters before that step: both sides
    see the same point, one step's rounding stays out of the next, and the error is the rule's.
    """
    gradients = jnp.asarray(golden["gradients"])
    still = np.broadcast_to(golden["params"], gradients.shape)
    points = jnp.asarray(golden[f"points_{case}"] if f"points_{case}" in golden else still)

    def body(state, inputs):
        step, state = tx.update(inputs[0], state, inputs[1])
        return state, step

    return np.asarray(jax.lax.scan(body, tx.init(points[0]), (gradients, points))[1])


def schedule_of(package, case):
    """Our schedule for a golden case; the schedules in its arguments are cases too."""
    arguments = dict(case.arguments)
    if "schedulers" in arguments:
        arguments["schedulers"] = [schedule_of(package, part) for part in arguments["schedulers"]]
    return getattr(package, case.preset)(**arguments)


def rate_error(ours, theirs):
    """Largest difference relative to the rate itself (law 3), as a part of what is allowed.

    PyTorch's own recursions round: near a rate of 0 by some 1e-15 of the largest.
    """
    theirs = np.asarray(theirs, np.float64)
    allowed = 1e-5 * np.abs(theirs) + 1e-13 * np.max(np.abs(theirs))
    return np.max(np.abs(np.float64(ours) - theirs) / np.where(allowed == 0, 1e-30, allowed))


def parity_error(ours, theirs):
    """Largest difference over that coordinate's largest update; exact where it never moves."""
    largest = np.abs(theirs).max(axis=0)
    assert np.all(ours[:, largest == 0] == 0)
    return np.max(np.abs(ours - np.float64(theirs)) / np.where(largest == 0, 1, largest))


def cut_rate(rate):
    """The generator's rate as a schedule: a tenth from step `CUT` on."""
    return lambda count: jnp.where(count < CUT, rate, rate / 10)


def arguments_of(function):
    """Names and defaults as the golden tables store them."""
    return {
        p.name: [] if p.default is p.empty else [jsonable(p.default)]
        for p in inspect.signature(function).parameters.values()
    }


def jsonable(value):
    return list(value) if isinstance(value, tuple) else value


def label(case):
    """The id of a case's test: the same in every process, so without the addresses of functions."""
    text = case.preset + "".join(f",{k}={v}" for k, v in case.arguments.items())
    return re.sub(" at 0x[0-9a-f]+", "", text)
