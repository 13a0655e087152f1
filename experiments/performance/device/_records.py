"""The file of all records of one device: a kill loses nothing that was finished."""

import json
from pathlib import Path
from typing import Any

from experiments.files import read_json, write_atomically

NAME = "device.json"
SCHEMA = 1
STATUSES = ("measured", "failed")
Records = dict[str, dict[str, Any]]


class NotOurs(ValueError):
    """The file is a stranger's, or holds what was measured on another device or in other sizes."""


def head(platform: str, device: str, sizes: str) -> dict[str, Any]:
    """What the records of one file have in common."""
    return {
        "schema": SCHEMA,
        "script": "experiments.performance.device",
        "platform": platform,
        "device": device,
        "sizes": sizes,
    }


def read_records(path: Path) -> dict[str, Any]:
    """Reads the whole file: the head and the `"records"` by name.

    Raises:
        NotOurs: it is not a file of this script.
    """
    try:
        found = read_json(path)
    except ValueError as error:
        raise NotOurs(str(error)) from error
    if not _is_ours(found):
        raise NotOurs(f"{path} is no file of device records of schema {SCHEMA}.")
    return found


def _is_ours(found: Any) -> bool:
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        return False
    texts = [found.get(key) for key in ("script", "platform", "device", "sizes")]
    records = found.get("records")
    return (
        all(isinstance(text, str) for text in texts)
        and isinstance(records, dict)
        and all(isinstance(record, dict) for record in records.values())
        and all(record.get("status") in STATUSES for record in records.values())
        and all(isinstance(record.get("took_seconds"), int | float) for record in records.values())
    )


def earlier_records(path: Path, ours: dict[str, Any]) -> Records:
    """The records that an earlier call left, none if there is no file.

    Raises:
        NotOurs: the file is another one's, or of another device or other sizes.
    """
    if not path.exists():
        return {}
    found = read_records(path)
    for key, value in ours.items():
        if found[key] != value:
            raise NotOurs(f"{path} was measured with {key} {found[key]!r}, this is {value!r}.")
    return found["records"]


def write_records(path: Path, ours: dict[str, Any], records: Records) -> None:
    text = json.dumps({**ours, "records": records}, indent=1, ensure_ascii=False)
    write_atomically(path, f"{text}\n".encode())
