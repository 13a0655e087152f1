"""What does reading from disk cost, in time and memory?

An epoch of batches of 128, without any training: examples on the device, gathered in a scan; in
host memory, gathered by NumPy; in host memory through `data.stream`, whose threads read ahead; and
from prepared files through it, decoded anew each time. Each in a process of its own, with its peak
memory.

    TFDS_DATA_DIR=... python -m experiments.performance.streams \
        --out paper_figs/performance/streams.json

About a minute on 2 CPU cores. Without a prepared data set: digits, and no files.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.performance.timing import setting, spread, write_record
from jaxtricks import data

PACKAGES = ("jax", "jaxlib", "tensorflow-datasets", "numpy")
BATCH = 128
WAYS = ("device", "host", "stream", "files")
KEY = 0


def on_device(examples: Mapping[str, np.ndarray]) -> Callable[[], None]:
    """Each step gathers its rows; their sum keeps the compiler from leaving them out."""
    placed = jax.device_put(dict(examples))
    order = data.epoch_order(jax.random.key(KEY), len(examples["label"]), BATCH)

    @jax.jit
    def epoch(examples: Any, indices: jax.Array) -> jax.Array:
        def body(total: jax.Array, rows: jax.Array) -> tuple[jax.Array, None]:
            return total + examples["image"][rows].astype(jnp.float32), None

        first = jnp.zeros((BATCH, *examples["image"].shape[1:]))
        return jax.lax.scan(body, first, indices)[0]

    return lambda: jax.block_until_ready(epoch(placed, order.indices))


def on_host(examples: Mapping[str, np.ndarray]) -> Callable[[], None]:
    order = data.epoch_order(jax.random.key(KEY), len(examples["label"]), BATCH)
    indices = np.asarray(order.indices)

    def run() -> None:
        for rows in indices:
            _ = {name: values[rows] for name, values in examples.items()}

    return run


def streamed(examples: Any) -> Callable[[], None]:
    def run() -> None:
        for _ in data.stream(examples, key=jax.random.key(KEY), batch_size=BATCH, epochs=1):
            pass

    return run


def measure(name: str, way: str, rounds: int) -> dict[str, Any]:
    """Images a second and the most memory that the process ever had."""
    if way == "files":
        source: Any = data.TfdsSource(name, "train")
        size, run = len(source), streamed(source)
    else:
        examples = data.load(name, validation=0).train
        make = {"device": on_device, "host": on_host, "stream": streamed}[way]
        size, run = len(examples["label"]), make(examples)
    run()
    seconds = np.zeros(rounds)
    for i in range(rounds):
        begin = time.perf_counter()
        run()
        seconds[i] = time.perf_counter() - begin
    device = jax.devices()[0].memory_stats() or {}
    return {
        "images": size,
        "images_per_second": spread(size / seconds),
        "peak_host_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "peak_device_megabytes": round(device.get("peak_bytes_in_use", 0) / 2**20) or None,
    }


def in_its_own_process(name: str, way: str, rounds: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "experiments.performance.streams"]
    command += ["--data", name, "--way", way, "--rounds", str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    if done.returncode:
        raise RuntimeError(f"{way} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser("python -m experiments.performance.streams")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--rounds", type=int, default=3, help="epochs of each")
    parser.add_argument("--data", help="a data set; CIFAR-10 if it is prepared, else digits")
    parser.add_argument("--way", choices=WAYS, help="measure this one here and print it")
    options = parser.parse_args(arguments)
    name = options.data or ("cifar10" if data.available("cifar10") else "digits")
    if options.way:
        found = measure(name, options.way, options.rounds)
        print(json.dumps(found))
        return found
    ways = WAYS if name != "digits" else WAYS[:-1]
    record: dict[str, Any] = {**setting(PACKAGES), "data_set": name, "batch": BATCH}
    record["ways"] = {way: in_its_own_process(name, way, options.rounds) for way in ways}
    for key, value in record.items():
        print(f"{key:12} {value}")
    if options.out:
        write_record(options.out, record)
    return record


if __name__ == "__main__":
    main()
