"""A search space: a tree with distributions at its leaves, nested like what is drawn from it."""

import zlib
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from jaxtricks._checks import shown
from jaxtricks.tuning._distribution import Distribution, Interval, Options

RESERVED = ("trial", "epochs")  # columns that every table has, or that of a search with rungs


def is_distribution(value: object) -> bool:
    return isinstance(value, Interval | Options)


def leaves(space: PyTree) -> dict[str, Distribution]:
    """The distributions by their names, such as "rule.learning_rate"; of a single one "value".

    Raises:
        TypeError: a leaf is no distribution.
        ValueError: there is no leaf, or two have one name or, by the CRC-32 of it, the same draws.
    """
    found: dict[str, Distribution] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(space, is_leaf=lambda x: x is None):
        name = name_of(path)
        if not is_distribution(leaf):
            raise TypeError(
                f"space must hold distributions such as tuning.log_uniform, got {shown(leaf)} "
                f"as {name!r}: a constant belongs into the function that is searched."
            )
        if name in RESERVED:
            raise ValueError(f"space must have other names than {RESERVED}, got {name!r}.")
        if name in found:
            raise ValueError(f"space must have no two leaves of one name, got {name!r} twice.")
        same = [other for other in found if name_sum(other) == name_sum(name)]
        if same:
            raise ValueError(
                f"space must not name leaves {same[0]!r} and {name!r}, which would draw the same: "
                "their names have one CRC-32."
            )
        found[name] = leaf
    if not found:
        raise ValueError(f"space must hold distributions, got {shown(space)}.")
    return found


def name_of(path: Any) -> str:
    """The name of a leaf, as the columns of a table have it."""
    return jax.tree_util.keystr(path, simple=True, separator=".") or "value"


def name_sum(name: str) -> int:
    """The number of a leaf's name, by which its draws differ from those of others."""
    return zlib.crc32(name.encode())


def filled(space: PyTree, columns: dict[str, np.ndarray]) -> PyTree:
    """The space's tree with these arrays in place of its distributions."""
    return jax.tree.unflatten(jax.tree.structure(space), list(columns.values()))
