"""Files of arrays in NumPy's format, with a checksum that reveals damage."""

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
    """Writes arrays and their SHA-256 checksum to an uncompressed `.npz` file.

    Its folder is made if it is missing. The file gets its name only when it is complete, and then
    replaces an older file. A process that is killed while it writes leaves a file of another name,
    which nothing reads.

    Raises:
        OSError: the file cannot be written; an older file is kept.
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
    """Reads the arrays that `write_checked` wrote, without unpickling, so that no code is run.

    The checksum finds changes by a failing disk or a broken copy. It is not a signature: whoever
    changes the file on purpose can change the checksum too.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is damaged.
    """
    content = io.BytesIO(read_regular(file))
    try:
        check_stored(content)
        with np.load(content, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        expected = arrays.pop("sha256")
    except Exception as error:  # damaged zip and npy headers raise many kinds of errors
        raise damaged(file, str(error)) from error
    if not np.array_equal(checksum(arrays), expected):
        raise damaged(file, "its SHA-256 checksum does not match")
    return arrays


def check_stored(content: io.BytesIO) -> None:
    """Checks that reading an archive takes no more memory than the size of its file.

    Raises:
        ValueError: a member is compressed, or its array does not have the size of the member.
        Exception: the file is not an archive of arrays; there are many kinds of such errors.
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
    """Returns the error for a file whose content is not what was written."""
    return ValueError(
        f"{file} is damaged, or was not written by jaxtricks: {reason}. Write or copy it again."
    )


def checksum(arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> UInt8[np.ndarray, "32"]:
    """Returns the SHA-256 checksum of the names, dtypes, shapes and entries of the arrays."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(json.dumps([name, values.dtype.str, values.shape]).encode())
        digest.update(values.reshape(-1).view(np.uint8).data)
    return np.frombuffer(digest.digest(), np.uint8)
