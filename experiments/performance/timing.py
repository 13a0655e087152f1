"""Fair clocks on a shared machine: contenders take turns, ratios are formed within a turn."""

import gc
import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.files import write_atomically

Contenders = dict[str, Callable[[], None]]
WARM_UP_ROUNDS = 2


class Clocks(NamedTuple):
    """Seconds of every round by contender.

    Attributes:
        wall: passed.
        cpu: spent by all threads of this process: steady where others use the machine too.
    """

    wall: dict[str, np.ndarray]
    cpu: dict[str, np.ndarray]


def make_a_device_of_each_core() -> None:
    """Lets JAX divide trials and seeds among all CPU cores, unless the environment says otherwise.

    It must be called before JAX is first used.
    """
    if "JAX_NUM_CPU_DEVICES" not in os.environ:
        jax.config.update("jax_num_cpu_devices", os.cpu_count())


def tell_idle_cores() -> None:
    """Prints that some cores of this CPU have no work."""
    cores, devices = os.cpu_count() or 1, len(jax.devices())
    if jax.default_backend() == "cpu" and devices < cores:
        print(f"{devices} devices on {cores} cores: trials and seeds use {devices} cores only")


def interleaved(
    contenders: Contenders, rounds: int, *, warm_up_rounds: int = WARM_UP_ROUNDS
) -> Clocks:
    """Runs every contender once in each round, another one first each time."""
    names = list(contenders)
    for name in names * warm_up_rounds:
        contenders[name]()
    clocks = Clocks(*({name: np.zeros(rounds) for name in names} for _ in Clocks._fields))
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                wall, cpu = time.perf_counter(), time.process_time()
                contenders[name]()
                clocks.wall[name][turn] = time.perf_counter() - wall
                clocks.cpu[name][turn] = time.process_time() - cpu
    finally:
        gc.enable()
    return clocks


def spread(samples: np.ndarray) -> list[float]:
    """Lower quartile, median and upper quartile, to four digits."""
    return [float(f"{x:.4g}") for x in np.percentile(samples, (25, 50, 75))]


def setting(packages: Iterable[str]) -> dict[str, Any]:
    """Device, processor, versions, and how busy the machine has been in the last minute."""
    device = jax.devices()[0]
    kind = f"{os.cpu_count()} CPU cores" if device.platform == "cpu" else device.device_kind
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    load = round(os.getloadavg()[0], 2)
    return {"device": kind, "cpu": cpu_model(), "versions": versions, "load": load}


def cpu_model() -> str:
    """The processor's name where Linux tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def write_record(path: Path, record: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
