"""A prepared data set as one file that NumPy alone can read."""

import os
from pathlib import Path

import numpy as np

from jaxtricks._checks import check_instance
from jaxtricks.data._checked_file import damaged, read_checked, write_checked
from jaxtricks.data._read_tfds import read_tfds
from jaxtricks.data._splits import Split
from jaxtricks.data._tfds import check_folder

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
    splits = read_tfds(name, data_dir, None, np.random.default_rng(0), cache=False)
    arrays = {
        f"{part}_{field}": values
        for part, split in zip(PARTS, splits, strict=True)
        for field, values in split.items()
    }
    file = file_in(folder, name)
    write_checked(file, arrays)
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
    arrays = read_checked(file)
    try:
        return tuple(
            {field: arrays[f"{part}_{field}"] for field in ("image", "label")} for part in PARTS
        )
    except KeyError as error:
        raise damaged(file, f"it has no {error}") from error
