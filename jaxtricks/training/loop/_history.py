"""The metrics of each epoch as lines of JSON, each with a sum by which damage is found.

A line is the record and a last entry `"crc32"`, the CRC-32 of the line's bytes before that entry.
"""

import json
import os
import pathlib
import zlib
from collections.abc import Collection
from typing import Any

from typing_extensions import TypeAliasType

from jaxtricks._regular_file import read_regular

Record = TypeAliasType("Record", dict[str, Any])
SUM = b', "crc32": "'


def append(path: pathlib.Path, record: Record) -> None:
    """Adds a line and waits until it is on the disk.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("ab") as file:
        file.write(encode(record))
        file.flush()
        os.fsync(file.fileno())


def read(path: pathlib.Path, epochs: int) -> tuple[list[Record], list[int]]:
    """The intact records of the first `epochs` epochs, in order, and the epochs that lack one.

    Raises:
        OSError: the file is there and cannot be read.
    """
    try:
        lines = read_regular(path).split(b"\n")
    except FileNotFoundError:
        lines = []
    found = {record["epoch"]: record for record in map(decode, lines) if record is not None}
    wanted = range(1, epochs + 1)
    return [found[e] for e in wanted if e in found], [e for e in wanted if e not in found]


def keep(path: pathlib.Path, records: list[Record]) -> None:
    """Makes the file hold these records and nothing else; a kill leaves the old or the new file.

    Raises:
        OSError: it cannot be written.
    """
    content = b"".join(map(encode, records))
    if path.exists() and read_regular(path) == content:
        return
    path = path.resolve()
    partial = path.with_suffix(".tmp")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def encode(record: Record) -> bytes:
    """A record as its line."""
    text = json.dumps(record)[:-1].encode()
    return text + SUM + b'%08x"}\n' % zlib.crc32(text)


def decode(line: bytes) -> Record | None:
    """The record of a line without its end, or None if it is not what `encode` wrote."""
    text, _, rest = line.rpartition(SUM)
    if rest != b'%08x"}' % zlib.crc32(text):
        return None
    try:
        record = json.loads(text + b"}")
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and type(record.get("epoch")) is int else None


def ranges(epochs: Collection[int]) -> str:
    """Numbers in order, in short.

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
