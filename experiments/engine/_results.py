"""Results as JSON: written whole or not at all, read back as numpy arrays."""

import json
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np

from experiments.engine._verdict import Outcome
from experiments.files import read_json, write_atomically

SCHEMA = 1
PRESETS = ("smoke", "default", "full")
FIELDS: dict[str, Any] = {
    "script": str,
    "question": str,
    "figures": list,
    "animated": bool,
    "preset": str,
    "data_set": str,
    "device": str,
    "wall_seconds": int | float,
    "verdicts": list,
    "results": dict,
}
DIGITS = 7  # significant digits kept: float32's, so that equal runs give equal files


class NonFiniteResult(ValueError):
    """A result is NaN or infinite, and the script did not declare that it may be."""


def check_finite(results: dict[str, Any], allowed: tuple[str, ...]) -> None:
    """Raises `NonFiniteResult` with the path of the first bad number outside `allowed` keys."""
    for key, value in results.items():
        if key not in allowed:
            _check_finite_at(value, key)


def _check_finite_at(value: object, path: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _check_finite_at(item, f"{path}/{key}")
    elif isinstance(value, list | tuple) and not _is_numeric(value):
        for i, item in enumerate(value):
            _check_finite_at(item, f"{path}[{i}]")
    elif not isinstance(value, str | bool | None.__class__):
        array = np.asarray(value, np.float64)
        if not np.isfinite(array).all():
            where = np.argwhere(~np.isfinite(array))[0].tolist()
            raise NonFiniteResult(f"result {path} is not finite, first at index {where}.")


def _is_numeric(value: list | tuple) -> bool:
    try:
        return np.asarray(value).dtype.kind in "fiub"
    except ValueError:
        return False


def to_json(value: Any) -> Any:
    """Arrays to lists, floats to 7 significant digits, NaN and infinities to strings."""
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if hasattr(value, "__array__"):
        return to_json(np.asarray(value).tolist())
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else str(value)
    return value


def from_json(value: Any) -> Any:
    """Inverse of `to_json`: lists of numbers become arrays."""
    if isinstance(value, dict):
        return {key: from_json(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [from_json(item) for item in value]
        numeric = all(isinstance(i, int | float | np.ndarray) for i in items)
        same_shape = len({np.shape(i) for i in items}) == 1
        return np.asarray(items) if numeric and same_shape else items
    return float(value) if value in ("nan", "inf", "-inf") else value


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Writes a record as JSON, one result a line, so that diffs are readable."""
    lines = [
        f"  {json.dumps(key)}: {json.dumps(to_json(value), ensure_ascii=False)}"
        for key, value in record.items()
        if key != "results"
    ]
    results = [
        f"    {json.dumps(key)}: {json.dumps(to_json(value), ensure_ascii=False)}"
        for key, value in record["results"].items()
    ]
    lines.append('  "results": {\n' + ",\n".join(results) + "\n  }")
    write_atomically(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def read_record(path: Path) -> dict[str, Any]:
    """Reads a record; `results` come back with numpy arrays.

    Raises:
        ValueError: the file is not one of ours, or of another schema.
    """
    try:
        record = read_json(path)
        _check_record(record)
        return {**record, "results": from_json(record["results"])}
    except (ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path} is no result file of schema {SCHEMA}: {error}") from error


def _check_record(record: Any) -> None:
    """Checks what the ledger and the engine read of a record, so that they need not."""
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise ValueError("it does not say so.")
    for key, kind in FIELDS.items():
        if not isinstance(record.get(key), kind):
            raise ValueError(f"{key} is missing or of another type.")
    if record["preset"] not in PRESETS:
        raise ValueError(f"preset must be one of {PRESETS}, got {record['preset']!r}.")
    if not all(isinstance(figure, str) for figure in record["figures"]):
        raise ValueError("figures must be names.")
    for verdict in record["verdicts"]:
        texts = ("subject", "outcome", "measured")
        if not isinstance(verdict, dict) or not all(isinstance(verdict.get(t), str) for t in texts):
            raise ValueError(f"a verdict needs {', '.join(texts)}.")
        if verdict["outcome"] not in get_args(Outcome):
            raise ValueError(f"outcome must be one of {get_args(Outcome)}.")
