"""Which leaves of a tree a rule acts on."""

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import PyTree
from typing_extensions import TypeAliasType

from jaxtricks._prefix import expand_prefix

Mask = TypeAliasType("Mask", PyTree | Callable[[PyTree], PyTree] | None)


def mask_tree(mask: Mask, tree: PyTree) -> PyTree:
    """Returns one Python bool for each leaf of `tree`.

    Args:
        mask: a tree of bools that is `tree`'s or a prefix of it, or a function from `tree` to such
            a tree; None chooses every leaf.
        tree: the parameters, or updates of their structure.

    Raises:
        TypeError: a leaf of the mask is not a bool (arrays, even boolean ones, are refused).
        ValueError: the mask is not a prefix of `tree`.

    Example:
        >>> mask_tree({"a": True, "b": False}, {"a": 1.0, "b": [2.0, 3.0]})
        {'a': True, 'b': [False, False]}
    """
    if mask is None:
        mask = True
    chosen = mask(tree) if callable(mask) else mask
    for path, leaf in jax.tree_util.tree_leaves_with_path(chosen):
        if not isinstance(leaf, bool | np.bool_):
            raise TypeError(f"mask{jax.tree_util.keystr(path)} must be a bool, got {leaf!r}.")
    return expand_prefix("mask", chosen, tree)
