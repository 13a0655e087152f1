"""Arrays in one file that NumPy alone can read, and whose damage is found."""

import hashlib
import io
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8


def write_checked(file: Path, arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> None:
    """Writes an uncompressed `.npz` of the arrays and their SHA-256 sum; makes the folder.

    The file appears under its name only when it is complete, and replaces an older one. A write
    that is killed leaves a file with another name, which nothing reads.

    Raises:
        OSError: the file cannot be written; an older one stays.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.{uuid.uuid4().hex}.tmp")
    try:
        with partial.open("xb") as handle:
            np.savez(handle, sha256=checksum(arrays), **arrays)
            handle.flush()
            os.fsync(handle.fileno())
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def read_checked(file: Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Reads the arrays that `write_checked` wrote. Nothing is unpickled: no code is run.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged.
    """
    content = io.BytesIO(file.read_bytes())
    try:
        with np.load(content, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        expected = arrays.pop("sha256")
    except Exception as error:  # zip and npy headers have no closed list of errors
        raise damaged(file, str(error)) from error
    if not np.array_equal(checksum(arrays), expected):
        raise damaged(file, "its SHA-256 sum is another")
    return arrays


def damaged(file: Path, reason: str) -> ValueError:
    """The error for a file that is not what was written."""
    return ValueError(
        f"{file} is damaged or was not written by jaxtricks.data.export: {reason}. Copy or export "
        "it again."
    )


def checksum(arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> UInt8[np.ndarray, "32"]:
    """SHA-256 of names, types, shapes and entries."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(json.dumps([name, values.dtype.str, values.shape]).encode())
        digest.update(values.reshape(-1).view(np.uint8).data)
    return np.frombuffer(digest.digest(), np.uint8)
