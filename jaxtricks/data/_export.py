"""A prepared data set as one file that NumPy alone can read."""

import os
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from jaxtricks._checked_file import damaged, read_checked, write_checked
from jaxtricks._local_path import local_path
from jaxtricks.data._read_tfds import read_tfds
from jaxtricks.data._splits import Split
from jaxtricks.data._tfds import check_name

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
        ValueError: the data are no images with classes or damaged, `name` is digits, which
            scikit-learn brings to each machine, or the name or a folder is none of this machine's.
        TypeError: an argument is of another type.

    Example:
        >>> export("digits", "anywhere")
        Traceback (most recent call last):
        ValueError: name must be of a prepared data set, got 'digits' of scikit-learn.
    """
    check_name(name)
    if name == "digits":
        raise ValueError("name must be of a prepared data set, got 'digits' of scikit-learn.")
    file = file_in("folder", folder, name)
    splits = read_tfds(name, data_dir, None, np.random.default_rng(0), cache=False)
    arrays = {
        f"{part}_{field}": values
        for part, split in zip(PARTS, splits, strict=True)
        for field, values in split.items()
    }
    write_checked(file, arrays)
    return file


def file_in(argument: str, folder: str | os.PathLike[str], name: str) -> Path:
    """Where the file of a data set is."""
    path = local_path(argument, folder) / name
    return path.with_name(f"{path.name}.npz")


def exported_file(name: str, data_dir: str | os.PathLike[str] | None) -> Path | None:
    """The file of a data set in `data_dir`, else in `JAXTRICKS_DATA_DIR`, or None."""
    argument = "JAXTRICKS_DATA_DIR" if data_dir is None else "data_dir"
    folder = os.environ.get(argument) if data_dir is None else data_dir
    if not folder:
        return None
    file = file_in(argument, folder, name)
    return file if file.is_file() else None


def read_exported(file: Path) -> tuple[Split, Split]:
    """Gives the splits `train` and `test`, proved to be those that were written.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged, or holds no images with classes.
    """
    arrays = read_checked(file)
    splits = []
    for part in PARTS:
        split = {field: arrays.get(f"{part}_{field}") for field in ("image", "label")}
        wrong = wrong_arrays(split["image"], split["label"])
        if wrong:
            raise damaged(file, f"{part} has {wrong}")
        splits.append(split)
    return tuple(splits)


def wrong_arrays(
    image: Shaped[np.ndarray, "..."] | None, label: Shaped[np.ndarray, "..."] | None
) -> str:
    """What keeps two arrays from being the images and classes of a split; "" if nothing does."""
    if image is None or label is None:
        return "no images or no labels"
    if image.dtype != np.uint8 or image.ndim != 4:
        return f"images of {image.dtype}{list(image.shape)}"
    if label.dtype != np.int32 or label.shape != image.shape[:1]:
        return f"labels of {label.dtype}{list(label.shape)} for {len(image)} images"
    if len(label) and label.min() < 0:
        return f"the label {label.min()}"
    return ""
