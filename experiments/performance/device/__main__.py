"""Every measurement that asks for an accelerator, the most important first, within some minutes.

Update rules against optax's and against the bandwidth of a large copy; an epoch of a small
convolutional network as one scan, on MNIST where it is prepared, else on the bundled digits (the
record says which); sixteen seeds under `vmap` against one; a step of ResNet-20 in float32 and in
bfloat16, against PyTorch with channels last and autocast where it is installed. Augmentation is
not measured: there is no such room yet.

    python -m experiments.performance.device --minutes 8 --out paper_figs/performance/h200

Each record is in `device.json` of that folder as soon as it exists. What does not fit into the time
that is left is not begun, compilation included, by what the others took. A failure is recorded, and
the next one follows. Call it again with the same folder to measure what is missing, after that what
has failed.

The exit code is 0 if everything is measured, 1 if something failed, 3 if time ran out, 130 after
Ctrl-C.
"""

import argparse
import gc
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FAILED, UNFINISHED, INTERRUPTED = 1, 3, 130
PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "torch")
CAUTION = 1.2  # a measurement is begun if so many times its estimate is left


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m experiments.performance.device",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=8.0, help="for everything (8)")
    parser.add_argument("--out", type=Path, required=True, help="folder of device.json")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes: a rehearsal")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="update_rule/adam, or seeds for all"
    )
    options = parser.parse_args(arguments)
    if not 0 < options.minutes < math.inf:
        parser.error(f"--minutes must be positive and finite, got {options.minutes}")
    return options


def estimate(measurement: Any, plan: list, records: dict[str, dict[str, Any]]) -> float:
    """Seconds: the most of its kind so far, else what is expected at the pace of all so far."""
    done = [
        (other, records[other.name]["took_seconds"])
        for other in plan
        if records.get(other.name, {}).get("status") == "measured"
    ]
    alike = [took for other, took in done if other.kind == measurement.kind]
    if alike:
        return max(alike)
    pace = sum(took for _, took in done) / sum(other.expected for other, _ in done) if done else 1
    return measurement.expected * max(1, pace)


@contextmanager
def ended_at(deadline: float, name: str) -> Iterator[None]:
    """Ends the process at the deadline, in whatever compilation it is: records are on disk."""

    def end() -> None:
        print(f"time is up within {name}; finished records are kept", flush=True)
        os._exit(UNFINISHED)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def measure(measurement: Any, rounds: int, deadline: float) -> dict[str, Any]:
    """The record: of a failure the error.

    Raises:
        OutOfTime: it was begun and does not fit.
    """
    from experiments.performance.device._contest import OutOfTime, describe, hold
    from experiments.performance.timing import setting

    record = {"kind": measurement.kind, "status": "measured", **setting(PACKAGES)}
    begin = time.monotonic()
    try:
        with ended_at(deadline, measurement.name):
            record |= hold(measurement.contest(), rounds, lambda: deadline - time.monotonic())
    except OutOfTime:
        raise
    except Exception as error:
        record |= {"status": "failed", "error": describe(error)}
    gc.collect()  # the buffers of contenders and tracebacks
    return {**record, "took_seconds": round(time.monotonic() - begin, 2)}


def chosen(plan: list, only: list[str]) -> list:
    """Those named, or all.

    Raises:
        ValueError: a name fits none.
    """
    for name in only:
        if not any(name in (m.name, m.kind) for m in plan):
            raise ValueError(f"no measurement fits {name!r}: {', '.join(m.name for m in plan)}.")
    return [m for m in plan if not only or m.name in only or m.kind in only]


def order(wanted: list, records: dict[str, dict[str, Any]]) -> list:
    """What is to be measured: first what has no record, then what has failed."""
    missing = [m for m in wanted if m.name not in records]
    return missing + [m for m in wanted if records.get(m.name, {}).get("status") == "failed"]


def measure_all(
    wanted: list,
    plan: list,
    records: dict[str, dict[str, Any]],
    rounds: int,
    deadline: float,
    write: Callable[[], None],
) -> list[str]:
    """Adds what fits to the records, written each time; returns what did not fit, and why."""
    from experiments.performance.device._contest import OutOfTime

    late = []
    for measurement in order(wanted, records):
        needed = CAUTION * estimate(measurement, plan, records)
        if needed > deadline - time.monotonic():
            late.append(f"{measurement.name} (about {needed:.0f} s)")
            continue
        try:
            records[measurement.name] = measure(measurement, rounds, deadline)
        except OutOfTime as why:
            late.append(f"{measurement.name} ({why})")
            continue
        write()
        print(f"{measurement.name}: {line(records[measurement.name])}", flush=True)
    return late


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code."""
    begin = time.monotonic()
    options = parse(arguments)
    deadline = begin + 60 * options.minutes
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch needs memory too
    import jax

    from experiments.performance.device import _plan as plans
    from experiments.performance.device import _records as files

    sizes = plans.SMOKE if options.smoke else plans.FULL
    path, plan, device = options.out / files.NAME, plans.plan(sizes), jax.devices()[0]
    head = files.head(device.platform, device.device_kind, "smoke" if options.smoke else "full")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        wanted = chosen(plan, options.only)
        records = files.earlier_records(path, head)
        print(f"{head['device']}: {len(order(wanted, records))} of {len(wanted)} to measure")
        late = measure_all(
            wanted,
            plan,
            records,
            sizes.rounds,
            deadline,
            lambda: files.write_records(path, head, records),
        )
    except (OSError, ValueError) as error:
        print(f"stopped: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"\ninterrupted: {path} keeps every finished record", file=sys.stderr)
        return INTERRUPTED
    if late:
        print(f"left out, as {options.minutes:g} minutes are too short: {', '.join(late)}")
        print("the same command measures them")
    found = [records[m.name]["status"] for m in wanted if m.name in records]
    failed = found.count("failed")
    print(f"{path}: {len(found) - failed} of {len(wanted)} measured, {failed} failed")
    return UNFINISHED if late else FAILED if failed else 0


def line(record: dict[str, Any]) -> str:
    """For the terminal: medians of the ratios and rates, or the error."""
    if record["status"] == "failed":
        return f"FAILED: {record['error']}"
    numbers = {**record["ratios"], **record["per_second"]}
    texts = [f"{name} {quartiles[1]:.4g}" for name, quartiles in numbers.items()]
    texts += [f"{name} is left out: {why}" for name, why in record["left_out"].items()]
    return f"{record['took_seconds']:.1f} s; {'; '.join(texts)}"


if __name__ == "__main__":
    sys.exit(main())
