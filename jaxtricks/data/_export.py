"""A prepared data set as one file that NumPy alone can read."""

import hashlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8

from jaxtricks._checks import check_instance
from jaxtricks.data._splits import Split
from jaxtricks.data._tfds import check_folder, read_tfds

PARTS = ("train", "test")


def export(
    name: str,
    folder: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
) -> Path:
    """Writes a prepared data set to `folder/<name>.npz`, for machines without TFDS or a network.

    There `load(name, data_dir=folder)`, or `load(name)` with the environment's
    `JAXTRICKS_DATA_DIR=folder`, gives what it gives here, for each seed and limit: the file holds
    the whole splits `train` and `test`, uncompressed, and the SHA-256 sum of both. Nothing in it is
    pickled, and reading it runs no code. It appears when it is complete; an older one is replaced.

    Args:
        name: a TensorFlow Datasets name, as in `load`.
        folder: where to write; made if missing.
        data_dir: where prepared data sets are, as in `load`.

    Returns:
        The file.

    Raises:
        ImportError: a package is missing; the message names the extra.
        FileNotFoundError: the data set is not prepared; the message has the command that does it.
        OSError: the file cannot be written.
        ValueError: the data are no images with classes, or `name` is digits, which scikit-learn
            brings to each machine.
        TypeError: an argument is of another type.

    Example:
        >>> export("digits", "anywhere")
        Traceback (most recent call last):
        ValueError: name must be of a prepared data set, got 'digits' of scikit-learn.
    """
    check_instance("name", name, str)
    check_folder("folder", folder)
    check_folder("data_dir", data_dir)
    if name == "digits":
        raise ValueError("name must be of a prepared data set, got 'digits' of scikit-learn.")
    splits = read_tfds(name, data_dir, None, np.random.default_rng(0))
    arrays = {
        f"{part}_{field}": values
        for part, split in zip(PARTS, splits, strict=True)
        for field, values in split.items()
    }
    file = file_in(folder, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        with partial.open("wb") as handle:
            np.savez(handle, sha256=checksum(arrays), **arrays)
            handle.flush()
            os.fsync(handle.fileno())
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return file


def file_in(folder: str | os.PathLike[str], name: str) -> Path:
    """Where the file of a data set is."""
    return Path(folder).expanduser() / f"{name}.npz"


def exported_file(name: str, data_dir: str | os.PathLike[str] | None) -> Path | None:
    """The file of a data set in `data_dir`, else in `JAXTRICKS_DATA_DIR`, or None."""
    folder = os.environ.get("JAXTRICKS_DATA_DIR") if data_dir is None else data_dir
    if not folder:
        return None
    file = file_in(folder, name)
    return file if file.is_file() else None


def read_exported(file: Path) -> tuple[Split, Split]:
    """Gives the splits `train` and `test`, proved to be those that were written.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged.
    """
    content = io.BytesIO(file.read_bytes())
    try:
        with np.load(content, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        expected = arrays.pop("sha256")
        splits = tuple(
            {field: arrays[f"{part}_{field}"] for field in ("image", "label")} for part in PARTS
        )
    except Exception as error:  # zip and npy headers have no closed list of errors
        raise damaged(file, str(error)) from error
    if not np.array_equal(checksum(arrays), expected):
        raise damaged(file, "its SHA-256 sum is another")
    return splits


def damaged(file: Path, reason: str) -> ValueError:
    """The error for a file that is not what `export` wrote."""
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
