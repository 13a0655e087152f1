"""Arrays in one file that NumPy alone can read, and whose damage is found."""

import hashlib
import io
import json
import math
import os
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8

from jaxtricks._regular_file import read_regular


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

    The sum finds what a disk or a broken copy changed; it is no signature.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged.
    """
    content = io.BytesIO(read_regular(file))
    try:
        check_stored(content)
        with np.load(content, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        expected = arrays.pop("sha256")
    except Exception as error:  # zip and npy headers have no closed list of errors
        raise damaged(file, str(error)) from error
    if not np.array_equal(checksum(arrays), expected):
        raise damaged(file, "its SHA-256 sum is another")
    return arrays


def check_stored(content: io.BytesIO) -> None:
    """Checks that an archive is no larger when it is read than it is as a file.

    Raises:
        ValueError: a member is compressed, or is an array of another size than the member.
        Exception: it is no archive of arrays, in one of many ways.
    """
    with zipfile.ZipFile(content) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > content.getbuffer().nbytes:
            raise ValueError("its members are larger than the file")
        for member in members:
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{member.filename} is compressed")
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
                    version, np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = read(file)
                size = file.tell() + math.prod(shape) * dtype.itemsize
            if size != member.file_size:
                raise ValueError(f"{member.filename} has {member.file_size} bytes, not {size}")
    content.seek(0)


def damaged(file: Path, reason: str) -> ValueError:
    """The error for a file that is not what was written."""
    return ValueError(
        f"{file} is damaged, or jaxtricks has not written it: {reason}. Write or copy it again."
    )


def checksum(arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> UInt8[np.ndarray, "32"]:
    """SHA-256 of names, types, shapes and entries."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(json.dumps([name, values.dtype.str, values.shape]).encode())
        digest.update(values.reshape(-1).view(np.uint8).data)
    return np.frombuffer(digest.digest(), np.uint8)
