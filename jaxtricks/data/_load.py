"""A data set in memory, in three parts."""

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
    """Reads classified images into NumPy arrays.

    Decoding the images of a prepared data set is slow, so the decoded ones are kept in the folder
    `jaxtricks` of the environment's `XDG_CACHE_HOME`, by default `~/.cache`, one file per prepared
    version. The next call decodes only what is not there yet. A file that is damaged, or was made
    from other prepared files, is not used but replaced; where the folder cannot be written, nothing
    is kept. The files may be deleted at any time. They take as much space as the arrays: 56 MB for
    the whole of MNIST, 185 MB for CIFAR-10.

    Args:
        name: `"digits"`, which comes with scikit-learn, or the TensorFlow Datasets name of images
            with classes and the splits `train` and `test`, such as `"mnist"`, prepared before.
        data_dir: where `<name>.npz` is, written by `export`, or else a prepared data set. None
            takes `<name>.npz` in the environment's `JAXTRICKS_DATA_DIR`, if it is there, or else
            what is prepared in `TFDS_DATA_DIR`, by default `~/tensorflow_datasets`.
        validation: how much of the training examples to set apart, a fraction in `[0, 1)` or a
            number, with every class's share.
        test: the same for the test examples of digits, which come unsplit; None takes 0.2. It
            must be None for other data sets.
        limit: at most so many training (validation included) and so many test examples, each
            class with its share. Only these are decoded.
        seed: of every choice. It moves digits' test examples too.
        cache: whether to use and to write the decoded copy. The result is the same without it.

    Raises:
        ImportError: a package is missing; the message names the extra.
        FileNotFoundError: the data set is not prepared; the message has the command that does it.
        ValueError: an argument is out of range, the name or the folder is none of this machine's,
            or the data are of another kind or damaged; the message names the file.
        TypeError: an argument is of another type.

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
    """Says whether `load(name)` finds its packages and its files. It reads no data.

    Raises:
        TypeError: an argument is of another type.

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
