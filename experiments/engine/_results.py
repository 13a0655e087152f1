"""Results as JSON: written whole or not at all, read back as numpy arrays."""

import json
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np

from experiments.engine._part import FACTORS, Outcome, Part
from experiments.engine._verdict import Gate, Together, Verdict, VerdictOutcome
from experiments.files import read_json, write_atomically

SCHEMA = 2
PRESETS = ("smoke", "default", "full")
FIELDS: dict[str, Any] = {
    "script": str,
    "question": str,
    "figures": list,
    "animated": bool,
    "preset": str,
    "config": dict,
    "data_set": str,
    "device": str,
    "wall_seconds": int | float,
    "rule": str,
    "plans": dict,
    "verdicts": list,
    "results": dict,
}
LONGEST = 1e9  # seconds, 31 years
NO_NUMBERS = ("nan", "inf", "-inf")  # as JSON holds them
DIGITS = 7  # significant digits kept: float32's, so that equal runs give equal files


class NonFiniteResult(ValueError):
    """A result is NaN or infinite, and the script did not declare that it may be."""


def check_finite(results: dict[str, Any], allowed: tuple[str, ...]) -> None:
    """Raises `NonFiniteResult` with the path of the first bad number outside `allowed` keys.

    And `TypeError` with the path of what a record cannot hold or would give back as another thing.
    """
    for key, value in results.items():
        if not isinstance(key, str):
            raise TypeError(f"keys of results must be texts, got {key!r}.")
        _check_at(value, key, finite=key not in allowed)


def _check_at(value: object, path: str, *, finite: bool) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"keys of result {path} must be texts, got {key!r}.")
            _check_at(item, f"{path}/{key}", finite=finite)
    elif isinstance(value, list | tuple) and not _is_numeric(value):
        for i, item in enumerate(value):
            _check_at(item, f"{path}[{i}]", finite=finite)
    elif isinstance(value, str):
        if value in NO_NUMBERS:
            raise TypeError(f"result {path} is the text {value!r}, which is read as a number.")
    elif value is not None:
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"result {path} is {value!r}, which a record cannot hold.")
        bad = ~np.isfinite(array)
        if finite and bad.any():
            where = np.argwhere(bad)[0].tolist()
            raise NonFiniteResult(
                f"result {path} is not finite, first at index {where}: {array[bad][0]} "
                "(`NON_FINITE` names the results in which that is a finding)."
            )


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
        if all(isinstance(i, int | float | np.ndarray) for i in items):
            return np.asarray(items) if len({np.shape(i) for i in items}) == 1 else items
        return items
    return float(value) if value in NO_NUMBERS else value


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Writes a record as JSON, one result a line, so that diffs are readable."""
    lines = [
        f"  {json.dumps(key)}: {json.dumps(to_json(value), ensure_ascii=False)}"
        for key, value in record.items()
        if key != "results"
    ]
    results = [
        f"    {json.dumps(str(key))}: {json.dumps(to_json(value), ensure_ascii=False)}"
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
        check_record(record)
        return {**record, "results": from_json(record["results"])}
    except (ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path} is no result file of schema {SCHEMA}: {error}") from error


def check_record(record: Any) -> None:
    """Checks what the ledger and the engine read of a record, so that they need not.

    Raises:
        ValueError: something is missing or of another type.
    """
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise ValueError("it does not say so.")
    for key, kind in FIELDS.items():
        if not isinstance(record.get(key), kind):
            raise ValueError(f"{key} is missing or of another type.")
    if record["preset"] not in PRESETS:
        raise ValueError(f"preset must be one of {PRESETS}, got {record['preset']!r}.")
    seconds = record["wall_seconds"]
    if not (_is_number(seconds) and 0 <= seconds <= LONGEST):
        raise ValueError(f"wall_seconds must be a number from 0 to {LONGEST:g}.")
    if not record["script"].isprintable():
        raise ValueError(f"script must be a printable name, got {record['script']!r}.")
    if not all(isinstance(figure, str) for figure in record["figures"]):
        raise ValueError("figures must be names.")
    for plan in record["plans"].values():
        if not isinstance(plan, dict) or not isinstance(plan.get("revised"), str):
            raise ValueError("a plan needs the text `revised`.")
        if not isinstance(plan.get("sha256"), str):
            raise ValueError("a plan needs its `sha256`.")
    for verdict in record["verdicts"]:
        read_verdict(verdict)


def read_verdict(row: Any) -> Verdict:
    """A verdict of a record.

    Raises:
        ValueError: a field is missing, unknown or of another type.
    """
    try:
        parts = tuple(_read_part(part) for part in row["parts"])
        gates = tuple(Gate(**gate) for gate in row["gates"])
        tuples = {key: tuple(row[key]) for key in ("sensitivity", "beside")}
        verdict = Verdict(**{**row, **tuples, "parts": parts, "gates": gates})
    except (TypeError, KeyError) as error:
        raise ValueError(f"a verdict is not as it should be: {error}") from error
    texts = (verdict.subject, verdict.scope, verdict.reason, *verdict.beside)
    texts += tuple(text for gate in gates for text in (gate.name, gate.text))
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("subject, scope, reason, gates and what stands beside must be texts.")
    outcomes = (verdict.outcome, *verdict.sensitivity)
    _check_choice("outcome", outcomes, VerdictOutcome)
    _check_choice("together", (verdict.together,), Together)
    if not (verdict.p is None or _is_share(verdict.p)):
        raise ValueError(f"p must be null or from 0 to 1, got {verdict.p!r}.")
    if not all(isinstance(gate.passed, bool | None) for gate in gates):
        raise ValueError("a gate's `passed` must be true, false or null.")
    return verdict


def _read_part(row: Any) -> Part:
    three = {key: tuple(row[key]) for key in ("outcomes", "support", "against")}
    part = Part(**{**row, **three, "sizes": tuple(row["sizes"])})
    if not all(isinstance(t, str) for t in (part.text, part.claimed, part.panel, part.remark)):
        raise ValueError("text, claimed, panel and remark must be texts.")
    _check_choice("outcomes", part.outcomes, Outcome)
    if any(len(values) != len(FACTORS) for values in three.values()):
        raise ValueError(f"a part has {len(FACTORS)} outcomes and as many p-values of both sides.")
    shares = [*part.support, *part.against] + [part.p] * (part.p is not None)
    numbers = [value for value in (part.low, part.estimate, part.high) if value is not None]
    if not (all(map(_is_share, shares)) and all(map(_is_number, [*numbers, *part.sizes]))):
        raise ValueError("the numbers of a part are no numbers, or its p-values not from 0 to 1.")
    if numbers != sorted(numbers):
        raise ValueError(f"an estimate lies in its interval, got {numbers}.")
    if part.n is not None and not (type(part.n) is int and part.n > 0):
        raise ValueError(f"n must be null or a number of units, got {part.n!r}.")
    return part


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and abs(value) <= 1e308  # type: ignore


def _is_share(value: object) -> bool:
    return _is_number(value) and 0 <= value <= 1  # type: ignore


def _check_choice(name: str, values: tuple[object, ...], allowed: Any) -> None:
    if not all(value in get_args(allowed) for value in values):
        raise ValueError(f"{name} must be among {get_args(allowed)}, got {values}.")
