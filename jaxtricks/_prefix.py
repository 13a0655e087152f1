"""One value for a whole branch of a tree."""

import jax
from jaxtyping import PyTree


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
        raise ValueError(
            f"{name} must be a prefix of {jax.tree.structure(tree)}, "
            f"got {jax.tree.structure(prefix)}."
        ) from None
