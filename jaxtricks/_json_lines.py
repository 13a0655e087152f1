"""Records as lines of JSON, each with a sum by which damage is found.

A line is the record and a last entry `"crc32"`, the CRC-32 of the line's bytes before that entry.
"""

import json
import os
import pathlib
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

SUM = b', "crc32": "'


def append(path: pathlib.Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Adds lines and waits until they are on the disk; a torn last line is ended first.

    Raises:
        OSError: they cannot be written.
    """
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            torn = file.read(1) != b"\n"
            file.write(b"\n" * torn)
        file.write(b"".join(map(encode, records)))
        file.flush()
        os.fsync(file.fileno())


def encode(record: Mapping[str, Any]) -> bytes:
    """A record as its line."""
    text = json.dumps(record)[:-1].encode()
    return text + SUM + b'%08x"}\n' % zlib.crc32(text)


def decode(line: bytes) -> dict[str, Any] | None:
    """The record of a line without its end, or None if it is not what `encode` wrote."""
    text, _, rest = line.rpartition(SUM)
    if rest != b'%08x"}' % zlib.crc32(text):
        return None
    try:
        record = json.loads(text + b"}")
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
