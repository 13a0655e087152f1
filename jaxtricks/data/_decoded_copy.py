"""A cache file of the decoded images of a prepared data set."""

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Int32, UInt8

from jaxtricks._checked_file import read_checked, write_checked
from jaxtricks.data._tfds import prepared_version

FORMAT = 1  # version of the file format; copies of other versions are not used


class Decoded(NamedTuple):
    """One split: the labels of all examples, and the images of some examples.

    Attributes:
        labels: the labels of all examples.
        places: the numbers of the examples in `images`, in increasing order.
        images: the decoded images, in the order of `places`.
    """

    labels: Int32[np.ndarray, " n"]
    places: Int[np.ndarray, " m"]
    images: UInt8[np.ndarray, "m *image"]


class Copy(NamedTuple):
    """The file for the decoded copy of a prepared data set, and the identity of its source.

    Attributes:
        file: path of the copy, which may not exist yet.
        origin: a SHA-256 sum that identifies the prepared files.
    """

    file: Path
    origin: UInt8[np.ndarray, "32"]


def find_copy(name: str, data_dir: str | os.PathLike[str] | None) -> Copy | None:
    """Finds the copy of the newest prepared version of a data set; None without a home folder.

    `origin` is a SHA-256 sum of the data set's name and version, of the name, size and times of
    every prepared file, and of Pillow's version, since its versions may decode JPEG differently.

    Raises:
        FileNotFoundError: the data set is not prepared.
    """
    import PIL

    directory = prepared_version(name, data_dir).resolve()
    files = [
        (file.name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        for file in sorted(directory.iterdir())
        if file.is_file()
        for stat in [file.stat()]
    ]
    origin = json.dumps([FORMAT, name, directory.name, files, PIL.__version__]).encode()
    where = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    try:
        folder = cache_folder()
    except RuntimeError:  # the home folder is unknown
        return None
    return Copy(
        folder / f"{name.replace('/', '-')}-{directory.name}-{where}.npz",
        np.frombuffer(hashlib.sha256(origin).digest(), np.uint8),
    )


def cache_folder() -> Path:
    """Gives the folder of all copies.

    A relative path in `XDG_CACHE_HOME` is ignored, as the XDG standard requires.

    Raises:
        RuntimeError: the folder would be in the home folder, which is unknown.
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if os.path.isabs(given) else Path.home() / ".cache") / "jaxtricks"


def read_copy(copy: Copy) -> tuple[Decoded, Decoded] | None:
    """Reads `train` and `test`; None if there is no intact copy of these prepared files."""
    try:
        arrays = read_checked(copy.file)
    except (OSError, ValueError):
        return None
    fields = [f"{split}_{field}" for split in ("train", "test") for field in Decoded._fields]
    if not np.array_equal(arrays.get("origin", ()), copy.origin) or set(fields) - arrays.keys():
        return None
    train, test = (Decoded(*(arrays[name] for name in part)) for part in (fields[:3], fields[3:]))
    return (train, test) if is_consistent(train) and is_consistent(test) else None


def is_consistent(split: Decoded) -> bool:
    """Says whether the dtypes, shapes and values of a split's arrays agree with each other."""
    labels, places, images = split
    return bool(
        labels.dtype == np.int32
        and labels.ndim == places.ndim == 1
        and np.issubdtype(places.dtype, np.integer)
        and images.dtype == np.uint8
        and (images.ndim == 4 or not images.size)
        and len(images) == len(places)
        and np.all(np.diff(places, prepend=-1, append=len(labels)) > 0)
        and np.all(labels >= 0)
    )


def write_copy(copy: Copy, train: Decoded, test: Decoded) -> None:
    """Writes or replaces the copy; if that fails, no partial file is left and no error raised."""
    arrays = {
        f"{split}_{field}": values
        for split, decoded in (("train", train), ("test", test))
        for field, values in decoded._asdict().items()
    }
    with contextlib.suppress(OSError):
        write_checked(copy.file, {**arrays, "origin": copy.origin})
