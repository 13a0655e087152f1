"""Export of a prepared data set to one file that can be read with NumPy alone."""

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
    """Writes a prepared data set to `folder/<name>.npz`, for machines without TensorFlow Datasets.

    A data set is prepared once TensorFlow Datasets has downloaded it and written its own files, by
    `download_and_prepare`. On the other machine, `load(name, data_dir=folder)`, or `load(name)`
    with the environment variable `JAXTRICKS_DATA_DIR` set to the folder, returns the same arrays as
    on this machine for each `seed` and `limit`. The file holds the full splits `train` and `test`,
    uncompressed, and a SHA-256 sum. Reading it runs no code, because nothing is pickled. The file
    is renamed to its final name when it is complete; an existing file is replaced.

    Args:
        name: a TensorFlow Datasets name, as in `load`; not `"digits"`, which is installed with
            scikit-learn on each machine.
        folder: the folder to write to; it is created if missing.
        data_dir: the folder of the prepared data sets, as in `load`.

    Returns:
        The path of the file.

    Raises:
        ImportError: a package is missing; the message names the extra to install.
        FileNotFoundError: the data set is not prepared; the message shows the command to run.
        OSError: the file cannot be written.
        ValueError: the data set does not hold classified images or is damaged, `name` is `"digits"`
            or not a valid name, or a folder is not a local path.
        TypeError: an argument has a wrong type.

    Example:
        >>> export("digits", "anywhere")
        Traceback (most recent call last):
        ValueError: name must be that of a prepared data set, got 'digits', part of scikit-learn.
    """
    check_name(name)
    if name == "digits":
        raise ValueError(
            "name must be that of a prepared data set, got 'digits', part of scikit-learn."
        )
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
    """Gives the path of the exported file of a data set in `folder`."""
    path = local_path(argument, folder) / name
    return path.with_name(f"{path.name}.npz")


def exported_file(name: str, data_dir: str | os.PathLike[str] | None) -> Path | None:
    """Finds the exported file of a data set in `data_dir` or, if None, in `JAXTRICKS_DATA_DIR`.

    Returns:
        The path of the file; None if there is none.
    """
    argument = "JAXTRICKS_DATA_DIR" if data_dir is None else "data_dir"
    folder = os.environ.get(argument) if data_dir is None else data_dir
    if not folder:
        return None
    file = file_in(argument, folder, name)
    return file if file.is_file() else None


def read_exported(file: Path) -> tuple[Split, Split]:
    """Reads the splits `train` and `test` from an exported file, and checks its SHA-256 sum.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is damaged, or does not hold classified images.
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
    """Describes why two arrays are not the images and labels of a split; "" if they are."""
    if image is None or label is None:
        return "no images or no labels"
    if image.dtype != np.uint8 or image.ndim != 4:
        return f"images of {image.dtype}{list(image.shape)}"
    if label.dtype != np.int32 or label.shape != image.shape[:1]:
        return f"labels of {label.dtype}{list(label.shape)} for {len(image)} images"
    if len(label) and label.min() < 0:
        return f"the label {label.min()}"
    return ""
