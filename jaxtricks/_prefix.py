"""Trees in which one value stands for a whole branch of another tree."""

from collections.abc import Callable

import jax
from jax.tree_util import keystr, tree_leaves_with_path
from jaxtyping import PyTree
from typing_extensions import TypeAliasType

from jaxtricks._checks import check_flag
from jaxtricks._tree_checks import first_difference

Mask = TypeAliasType("Mask", PyTree | Callable[[PyTree], PyTree] | None)


def expand_prefix(name: str, prefix: PyTree, tree: PyTree) -> PyTree:
    """Returns a tree like `tree` in which each leaf has the value that `prefix` gives it.

    A leaf of `prefix` gives its value to all leaves of `tree` at or below the same path.

    Raises:
        ValueError: `prefix`, called `name` in the message, is not a prefix of `tree`.

    Example:
        >>> expand_prefix("mask", {"a": True, "b": False}, {"a": 1.0, "b": [2.0, 3.0]})
        {'a': True, 'b': [False, False]}
    """
    try:
        return jax.tree.broadcast(prefix, tree)
    except ValueError:
        problem = first_difference(name, prefix, tree, prefix=True)
        raise ValueError(f"{name} must be a prefix of the parameters' tree: {problem}.") from None


def expand_mask(name: str, mask: Mask, tree: PyTree) -> PyTree:
    """Returns a tree like `tree` that holds for each leaf whether the mask chooses it.

    Args:
        name: name of the mask, for the message.
        mask: a tree of bools with the structure of `tree` or a prefix of it, or a function from
            `tree` to such a tree; None chooses every leaf.
        tree: the parameters, or updates of the same structure.

    Raises:
        TypeError: a leaf of the mask is not a bool; arrays, even boolean ones, and strings are
            refused.
        ValueError: the mask is not a prefix of `tree`.

    Example:
        >>> expand_mask("mask", {"a": True, "b": False}, {"a": 1.0, "b": [2.0, 3.0]})
        {'a': True, 'b': [False, False]}
    """
    chosen = True if mask is None else mask(tree) if callable(mask) else mask
    if isinstance(chosen, str):
        raise TypeError(
            f"{name} must be a tree of bools or a function that returns one, such as "
            f"lambda params: {{key: key == {chosen!r} for key in params}}, got {chosen!r}."
        )
    for path, leaf in tree_leaves_with_path(chosen):
        check_flag(f"{name}{keystr(path)}", leaf)
    return expand_prefix(name, chosen, tree)
