"""Search spaces: trees with distributions at their leaves."""

import zlib
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from jaxtricks._checks import shown
from jaxtricks.tuning._distribution import Distribution, Interval, Options

RESERVED = ("trial", "epochs")  # columns of every table, and of the table of a search with rungs


def is_distribution(value: object) -> bool:
    return isinstance(value, Interval | Options)


def leaves(space: PyTree) -> dict[str, Distribution]:
    """Collects the distributions by name, such as "rule.learning_rate"; a single one is "value".

    Raises:
        TypeError: a leaf is not a distribution.
        ValueError: there is no leaf, a name is reserved, or two leaves have the same name or names
            with the same CRC-32 sum, which would give them the same draws.
    """
    found: dict[str, Distribution] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(space, is_leaf=lambda x: x is None):
        name = name_of(path)
        if not is_distribution(leaf):
            raise TypeError(
                f"space must hold distributions such as tuning.log_uniform, got {shown(leaf)} "
                f"as {name!r}: put constants into the function that is searched."
            )
        if name in RESERVED:
            raise ValueError(f"space must have other names than {RESERVED}, got {name!r}.")
        if name in found:
            raise ValueError(f"space must have leaves of different names, got {name!r} twice.")
        same = [other for other in found if name_sum(other) == name_sum(name)]
        if same:
            raise ValueError(
                f"space must have names with different CRC-32 sums, got {same[0]!r} and {name!r}, "
                "which would have the same draws: rename one."
            )
        found[name] = leaf
    if not found:
        raise ValueError(f"space must hold distributions, got {shown(space)}.")
    return found


def name_of(path: Any) -> str:
    """Gives the name of a leaf, which is also the name of its column in a table."""
    return jax.tree_util.keystr(path, simple=True, separator=".") or "value"


def name_sum(name: str) -> int:
    """Computes a number from a leaf's name, by which its draws differ from those of others."""
    return zlib.crc32(name.encode())


def filled(space: PyTree, columns: dict[str, np.ndarray]) -> PyTree:
    """Replaces the distributions of a space by the arrays in `columns`."""
    return jax.tree.unflatten(jax.tree.structure(space), list(columns.values()))
