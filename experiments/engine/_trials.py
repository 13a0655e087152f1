"""Long studies, trial by trial: what is finished is kept, whatever happens next."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.engine._results import from_json, to_json


def finish(
    path: Path, trials: Mapping[str, Any], run: Callable[[Any], dict[str, Any]]
) -> dict[str, Any]:
    """Runs the trials that are not in the file yet, and gives the results of all by name.

    Every finished trial is a line, on the disk before the next begins: its name, the SHA-256 of its
    settings, its results, the SHA-256 of these, and the seconds that it took. A torn or damaged
    line is run again, and so is a trial whose settings have changed.

    A script whose `run(config, trials)` takes a path gets one in the output folder, another for
    every configuration; the file is deleted when the record is written. The code is no part of what
    is compared: whoever changes what a trial does deletes the file.

    Args:
        path: a file of lines of JSON; it and its folder are made.
        trials: the settings of each trial, by name: whatever JSON can hold.
        run: `settings -> results`, a dict of numbers, texts, lists and arrays.

    Raises:
        TypeError: settings or results hold what JSON cannot, or a name is no text; of settings and
            names before any trial runs.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = Path(folder.name) / "study.jsonl"
        >>> finish(path, {"first": 1, "second": 2}, lambda number: {"square": number**2})
        {'first': {'square': 1}, 'second': {'square': 4}}
        >>> len(path.read_text().splitlines())
        2
        >>> folder.cleanup()
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    done = _read(path)
    for name in trials:
        if not isinstance(name, str):
            raise TypeError(f"a trial's name must be a text, got {name!r}.")
    keys = {name: (name, _hash(settings)) for name, settings in trials.items()}
    for name, key in keys.items():
        if key not in done:
            start = time.perf_counter()
            done[key] = to_json(run(trials[name]))
            _append(path, name, key[1], done[key], time.perf_counter() - start)
    return {name: from_json(done[key]) for name, key in keys.items()}


def seconds_so_far(path: Path) -> float:
    """Seconds that the finished trials of a study took, in this run or in earlier ones."""
    return sum(row["seconds"] for row in _whole_lines(path))


def _append(path: Path, name: str, settings: str, results: Any, seconds: float) -> None:
    line = {"trial": name, "settings": settings, "results": results, "sha256": _hash(results)}
    line["seconds"] = round(seconds, 2)
    whole = path.exists() and path.read_bytes()[-1:] not in (b"", b"\n")  # the last one was torn
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * whole + json.dumps(line, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> dict[tuple[str, str], Any]:
    return {(row["trial"], row["settings"]): row["results"] for row in _whole_lines(path)}


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines that are neither torn nor damaged."""
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
            if row["sha256"] == _hash(row["results"]) and {"trial", "settings"} <= row.keys():
                yield row | {"seconds": float(row.get("seconds", 0))}
        except (ValueError, KeyError, TypeError, RecursionError):
            continue


def _hash(value: Any) -> str:
    """Of every digit: settings that differ in the last one are others."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if hasattr(value, "__array__"):
        return np.asarray(value).tolist()
    raise TypeError(f"JSON cannot hold {type(value).__name__}, as in {value!r}.")
