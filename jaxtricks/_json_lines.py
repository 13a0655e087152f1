"""Files of JSON records, one a line, each with a checksum that reveals damage.

A line is the record with a last entry `"crc32"`, the CRC-32 of the bytes before that entry.
"""

import json
import os
import pathlib
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

SUM = b', "crc32": "'


def append(path: pathlib.Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Appends records and waits until they are on the disk; an incomplete last line is ended first.

    Raises:
        OSError: the records cannot be written.
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
    """Returns the line of a record."""
    text = json.dumps(record)[:-1].encode()
    return text + SUM + b'%08x"}\n' % zlib.crc32(text)


def decode(line: bytes) -> dict[str, Any] | None:
    """Returns the record of a line without its line end, or None if the line is damaged."""
    text, _, rest = line.rpartition(SUM)
    if rest != b'%08x"}' % zlib.crc32(text):
        return None
    try:
        record = json.loads(text + b"}")
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
