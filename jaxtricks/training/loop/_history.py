"""The metrics of each epoch as lines of JSON, each with a sum that reveals damage."""

import os
import pathlib
from collections.abc import Collection
from typing import Any

from typing_extensions import TypeAliasType

from jaxtricks import _json_lines
from jaxtricks._regular_file import read_regular

Record = TypeAliasType("Record", dict[str, Any])


def read(path: pathlib.Path, epochs: int) -> tuple[list[Record], list[int]]:
    """Returns the intact records of the first `epochs` epochs, and the epochs without one.

    Raises:
        OSError: the file exists and cannot be read.
    """
    try:
        lines = read_regular(path).split(b"\n")
    except FileNotFoundError:
        lines = []
    found = {record["epoch"]: record for record in map(decode, lines) if record is not None}
    wanted = range(1, epochs + 1)
    return [found[e] for e in wanted if e in found], [e for e in wanted if e not in found]


def keep(path: pathlib.Path, records: list[Record]) -> None:
    """Makes the file hold exactly these records; a kill leaves the old or the new file.

    Raises:
        OSError: the file cannot be written.
    """
    content = b"".join(map(_json_lines.encode, records))
    if path.exists() and read_regular(path) == content:
        return
    path = path.resolve()
    partial = path.with_suffix(".tmp")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def decode(line: bytes) -> Record | None:
    """Parses a line without its end; returns None if it is not the record of an epoch."""
    record = _json_lines.decode(line)
    return record if record and type(record.get("epoch")) is int else None


def ranges(epochs: Collection[int]) -> str:
    """Writes increasing numbers in short, as ranges.

    Example:
        >>> ranges([1, 2, 3, 7])
        '1-3, 7'
    """
    ends: list[list[int]] = []
    for epoch in epochs:
        if ends and ends[-1][1] == epoch - 1:
            ends[-1][1] = epoch
        else:
            ends.append([epoch, epoch])
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in ends)
