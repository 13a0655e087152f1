"""Real images: a pool from which every seed draws its own training set, and sets to judge by."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxtricks import data

Examples = dict[str, np.ndarray]


class Images(NamedTuple):
    """Images as uint8 and their labels, and the name of the data set.

    Attributes:
        pool: to train with, or to draw training sets from.
        validation: to choose by.
        test: to judge by.
        name: of the data set that was found.
    """

    pool: Examples
    validation: Examples
    test: Examples
    name: str


def read(
    wanted: str, *, pool: int, validation: int, test: int = 10_000, halve: bool = True
) -> Images:
    """At most so many images of `wanted`, or of digits where it is not prepared.

    Digits are 1,797 of 8 x 8 pixels: 30 % are for the test, and the share `validation / (pool +
    validation)` of the others to choose by. `halve`: pixels are averaged over 2 x 2 blocks; those
    of digits already are, over 4 x 4.
    """
    small = wanted == "digits" or not data.available(wanted)
    if small:
        share = validation / (pool + validation)
        train, held_back, tested = data.load("digits", validation=share, test=0.3)
    else:
        train, held_back, tested = data.load(wanted, validation=validation)
    splits = [first(train, pool), first(held_back, validation), first(tested, test)]
    if halve and not small:
        splits = [{**split, "image": halved(split["image"])} for split in splits]
    fit, choose, judge = splits
    return Images(fit, choose, judge, "digits" if small else wanted)


def split(
    wanted: str,
    limit: int,
    *,
    validation: float = 0.2,
    test: int | None = None,
    digits_test: float = 0.2,
    halve: bool = True,
) -> Images:
    """Images of `wanted`, or of digits where it is not prepared, with every class's share.

    Args:
        wanted: name of the data set.
        limit: most images to train with and to choose by together, and most for the test.
        validation: share of the former to choose by.
        test: how many of the latter, the first; None takes all.
        digits_test: share of the digits for the test; others have a test set of their own.
        halve: as of `read`.
    """
    name = wanted if data.available(wanted) else "digits"
    share = digits_test if name == "digits" else None
    splits = list(data.load(name, limit=limit, validation=validation, test=share))
    if halve and name != "digits":
        splits = [{**some, "image": halved(some["image"])} for some in splits]
    fit, choose, judge = splits
    return Images(fit, choose, {key: values[:test] for key, values in judge.items()}, name)


def first(examples: Examples, count: int) -> Examples:
    """`count` examples, or all if there are no more, at random but always the same."""
    rows = np.random.default_rng(0).permutation(len(examples["label"]))[:count]
    return {name: values[rows] for name, values in examples.items()}


def halved(images: np.ndarray) -> np.ndarray:
    """Means over 2 x 2 pixels, uint8 as before."""
    n, height, width, channels = images.shape
    blocks = images.reshape(n, height // 2, 2, width // 2, 2, channels)
    return np.uint8(np.rint(blocks.mean(axis=(2, 4))))


def subset(key: jax.Array, pool: Examples, count: int, *, noise: float = 0.0) -> dict:
    """A training set of `count` images drawn from the pool; a share `noise` has random labels.

    Raises:
        ValueError: the pool has fewer.
    """
    size = len(pool["label"])
    if count > size:
        raise ValueError(f"count must be at most the {size} images of the pool, got {count}.")
    rows_key, noisy_key, label_key = jax.random.split(key, 3)
    rows = jax.random.permutation(rows_key, size)[:count]
    drawn = {name: jnp.asarray(values)[rows] for name, values in pool.items()}
    if noise:
        noisy = jax.random.uniform(noisy_key, (count,)) < noise
        labels = jax.random.randint(label_key, (count,), 0, 10, drawn["label"].dtype)
        drawn["label"] = jnp.where(noisy, labels, drawn["label"])
    return drawn
