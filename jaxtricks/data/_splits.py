"""Random splits of examples, stratified by class."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Shaped

from jaxtricks._checks import check_integer, check_range

Split = dict[str, Shaped[np.ndarray, "..."]]


class Splits(NamedTuple):
    """The training, validation and test examples of a data set, which do not overlap.

    Each is a dict of arrays: `"image"`, uint8 `[n, height, width, channels]`, and `"label"`, int32
    `[n]`, the class, counted from 0.

    Attributes:
        train: examples to train on.
        validation: examples to choose a model or its settings by.
        test: examples to evaluate the final model on.
    """

    train: Split
    validation: Split
    test: Split


def check_part(name: str, part: object) -> None:
    """Checks a fraction in `[0, 1)` or a number of examples.

    Raises:
        ValueError: it is out of range.
        TypeError: it is not a real number.
    """
    if isinstance(part, float):
        check_range(name, part, low=0.0, below=1.0)
    elif isinstance(part, int | np.integer):
        check_integer(name, part, low=0)
    else:
        raise TypeError(f"{name} must be a fraction or a number of examples, got {part!r}.")


def divide(
    split: Split, name: str, part: float | int, rng: np.random.Generator
) -> tuple[Split, Split]:
    """Divides a split into the rest and a stratified part, each in the original order.

    Args:
        split: the examples.
        name: name of the part, for the error message.
        part: size of the part, a fraction in `[0, 1)` or a number under that of the examples.
        rng: chooses the examples.

    Returns:
        The rest and the part.

    Raises:
        ValueError: `part` leaves no example.

    Example:
        >>> some = {"label": np.array([0, 0, 0, 0, 1, 1], np.int32)}
        >>> rest, part = divide(some, "validation", 3, np.random.default_rng(0))
        >>> rest["label"].tolist(), part["label"].tolist()
        ([0, 0, 1], [0, 0, 1])
    """
    size = len(split["label"])
    if isinstance(part, float):
        part = round(part * size)
    if part >= size:
        raise ValueError(f"{name} must leave some of the {size} examples, got {part}.")
    taken = stratified_choice(split["label"], part, rng)
    return select(split, ~taken), select(split, taken)


def select(split: Split, mask: Bool[np.ndarray, " n"]) -> Split:
    """Selects the examples for which `mask` is true."""
    return {name: values[mask] for name, values in split.items()}


def at_most(
    labels: Int[np.ndarray, " n"], limit: int | None, rng: np.random.Generator
) -> Bool[np.ndarray, " n"]:
    """Marks `limit` examples chosen by `stratified_choice`, or all if there are at most `limit`.

    If it marks all, it draws no random number.
    """
    if limit is None or limit >= len(labels):
        return np.ones(len(labels), bool)
    return stratified_choice(labels, limit, rng)


def stratified_choice(
    labels: Int[np.ndarray, " n"], count: int, rng: np.random.Generator
) -> Bool[np.ndarray, " n"]:
    """Marks `count` random examples; each class keeps its share, to within one example.

    Example:
        >>> labels = np.array([0, 0, 0, 0, 1, 1])
        >>> np.bincount(labels[stratified_choice(labels, 3, np.random.default_rng(0))]).tolist()
        [2, 1]
    """
    classes, sizes = np.unique(labels, return_counts=True)
    share = sizes * count / len(labels)
    quota = np.floor(share).astype(int)
    largest_remainders = np.argsort(quota - share, kind="stable")[: count - quota.sum()]
    quota[largest_remainders] += 1
    order = rng.permutation(len(labels))
    chosen = [
        order[labels[order] == label][:number] for label, number in zip(classes, quota, strict=True)
    ]
    mask = np.zeros(len(labels), bool)
    mask[np.concatenate([np.zeros(0, int), *chosen])] = True
    return mask
