"""How long does `import jaxtricks` take on top of jax, flax and optax?

In fresh processes, after one that warms the disk's cache.

    python -m experiments.performance.imports --out paper_figs/performance/imports.json

About 30 s on 2 CPU cores.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from experiments.performance.timing import setting, spread, write_record

PACKAGES = ("jax", "flax", "optax", "jaxtyping")
CODE = """
import time
start = time.perf_counter(), time.process_time()
import jax, flax, optax
middle = time.perf_counter(), time.process_time()
import jaxtricks
end = time.perf_counter(), time.process_time()
print([*(b - a for a, b in zip(start, middle)), *(b - a for a, b in zip(middle, end))])
"""
COLUMNS = ("theirs", "theirs_cpu", "added", "added_cpu")


def one_process() -> list[float]:
    """Seconds of `COLUMNS` in a new process."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser("python -m experiments.performance.imports")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--rounds", type=int, default=5, help="processes")
    options = parser.parse_args(arguments)
    one_process()
    seconds = np.array([one_process() for _ in range(options.rounds)])
    columns = zip(COLUMNS, seconds.T, strict=True)
    record = {
        **setting(PACKAGES),
        "rounds": options.rounds,
        "seconds": {name: spread(column) for name, column in columns},
    }
    for key, value in record.items():
        print(f"{key:10} {value}")
    if options.out:
        write_record(options.out, record)
    return record


if __name__ == "__main__":
    main()
