"""One value for a whole branch of a tree."""

from collections.abc import Callable

import jax
from jax.tree_util import keystr, tree_leaves_with_path
from jaxtyping import PyTree
from typing_extensions import TypeAliasType

from jaxtricks._checks import check_flag
from jaxtricks._tree_checks import first_difference

Mask = TypeAliasType("Mask", PyTree | Callable[[PyTree], PyTree] | None)


def expand_prefix(name: str, prefix: PyTree, tree: PyTree) -> PyTree:
    """Gives each leaf of `tree` the value of the leaf of `prefix` above it.

    Raises:
        ValueError: `prefix`, called `name`, is not a prefix of `tree`.

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
    """Gives each leaf of `tree` the Python bool that a mask has for it.

    Args:
        name: of the mask, for the message.
        mask: a tree of bools that is `tree`'s or a prefix of it, or a function from `tree` to such
            a tree; None chooses every leaf.
        tree: the parameters, or updates of their structure.

    Raises:
        TypeError: a leaf of the mask is not a bool (arrays, even boolean ones, and names are
            refused).
        ValueError: the mask is not a prefix of `tree`.

    Example:
        >>> expand_mask("mask", {"a": True, "b": False}, {"a": 1.0, "b": [2.0, 3.0]})
        {'a': True, 'b': [False, False]}
    """
    chosen = True if mask is None else mask(tree) if callable(mask) else mask
    if isinstance(chosen, str):
        raise TypeError(
            f"{name} must be a tree of bools or a function that gives one, such as "
            f"lambda params: {{key: key == {chosen!r} for key in params}}, got {chosen!r}."
        )
    for path, leaf in tree_leaves_with_path(chosen):
        check_flag(f"{name}{keystr(path)}", leaf)
    return expand_prefix(name, chosen, tree)
