"""Loading a data set into memory, as three splits."""

import importlib.util
import os

import numpy as np

from jaxtricks._checks import check_flag, check_integer
from jaxtricks._local_path import local_path
from jaxtricks.data._digits import read_digits
from jaxtricks.data._export import exported_file, read_exported
from jaxtricks.data._read_tfds import read_tfds
from jaxtricks.data._splits import Splits, at_most, check_part, divide, select, stratified_choice
from jaxtricks.data._tfds import check_name, has_packages, prepared_version


def load(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    validation: float | int = 0.1,
    test: float | int | None = None,
    limit: int | None = None,
    seed: int = 0,
    cache: bool = True,
) -> Splits:
    """Loads a data set of classified images into NumPy arrays, split into three parts.

    Decoding the images of a data set from TensorFlow Datasets is slow, so decoded images are stored
    in the folder `$XDG_CACHE_HOME/jaxtricks`, by default `~/.cache/jaxtricks`, one file per data
    set and version. The next call decodes only the images that are missing there. A stored file
    that is damaged, or that does not belong to the data set's present files, is replaced. If the
    folder cannot be written, nothing is stored. The stored files may be deleted at any time. They
    are as large as the arrays: 56 MB for all of MNIST and 185 MB for CIFAR-10.

    Args:
        name: `"digits"`, which is part of scikit-learn, or the TensorFlow Datasets name of a data
            set of classified images with the splits `train` and `test`, such as `"mnist"`. Such a
            data set must have been prepared before, by the `download_and_prepare` of TensorFlow
            Datasets; the error that is raised otherwise shows the command.
        data_dir: a folder with `<name>.npz`, written by `export`, or with prepared data sets. None
            means `<name>.npz` in the folder `$JAXTRICKS_DATA_DIR` if it exists, and otherwise the
            data set prepared in `$TFDS_DATA_DIR`, by default `~/tensorflow_datasets`.
        validation: the part of the training examples to use for validation, stratified by class: a
            fraction in `[0, 1)`, or a number of examples.
        test: the part of the digits to use for testing, stratified by class: a fraction in
            `[0, 1)`, or a number of examples; None means 0.2. It must be None for other data sets,
            which have a test split.
        limit: largest number of training examples (validation included) and of test examples,
            stratified by class; None means all. Only these images are decoded.
        seed: seed of every random choice, at least 0. For digits it also chooses the test examples.
        cache: whether to use and to write the file of decoded images. The result is the same
            without it.

    Returns:
        The splits `train`, `validation` and `test`.

    Raises:
        ImportError: a package is missing; the message names the extra to install.
        FileNotFoundError: the data set is not prepared; the message shows the command to run.
        ValueError: an argument is out of range, `name` is not a valid name, `data_dir` is not a
            local path, or the data set is damaged or does not hold classified images.
        TypeError: an argument has a wrong type.

    Example:
        >>> digits = load("digits", validation=100)
        >>> [part["image"].shape for part in digits]
        [(1338, 8, 8, 1), (100, 8, 8, 1), (359, 8, 8, 1)]
    """
    check_flag("cache", cache)
    check_name(name)
    if data_dir is not None:
        local_path("data_dir", data_dir)
    check_part("validation", validation)
    if test is not None:
        check_part("test", test)
        if name != "digits":
            raise ValueError(f"test must be None for {name}, which has a test split, got {test}.")
    check_integer("seed", seed, low=0)
    if limit is not None:
        check_integer("limit", limit, low=1)
    rng = np.random.default_rng(seed)
    if name == "digits":
        parts = divide(read_digits(), "test", 0.2 if test is None else test, rng)
        if limit is not None:
            parts = tuple(
                select(part, stratified_choice(part["label"], min(limit, len(part["label"])), rng))
                for part in parts
            )
    elif (file := exported_file(name, data_dir)) is not None:
        parts = tuple(
            select(part, at_most(part["label"], limit, rng)) for part in read_exported(file)
        )
    else:
        parts = read_tfds(name, data_dir, limit, rng, cache=cache)
    train, held_back = divide(parts[0], "validation", validation, rng)
    return Splits(train, held_back, parts[1])


def available(name: str, *, data_dir: str | os.PathLike[str] | None = None) -> bool:
    """Says whether `load(name)` would find its packages and its files; it reads no data.

    Args:
        name: name of the data set, as in `load`.
        data_dir: folder of the data set, as in `load`.

    Raises:
        ValueError: `name` is not a valid name, or `data_dir` is not a local path.
        TypeError: an argument has a wrong type.

    Example:
        >>> available("mnist", data_dir="/nowhere")
        False
    """
    check_name(name)
    if data_dir is not None:
        local_path("data_dir", data_dir)
    if name == "digits":
        return importlib.util.find_spec("sklearn") is not None
    if exported_file(name, data_dir) is not None:
        return True
    try:
        prepared_version(name, data_dir)
    except FileNotFoundError:
        return False
    return has_packages()
