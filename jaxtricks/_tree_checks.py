"""Bad trees of arrays: one clear error that names the leaf. Values are not checked."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree


def check_real_tree(name: str, tree: PyTree) -> None:
    """Checks that no leaf is complex.

    Raises:
        TypeError: a leaf is; the message gives its path.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        kind = getattr(leaf, "dtype", type(leaf))
        if jnp.issubdtype(kind, jnp.complexfloating):
            raise TypeError(
                f"{name}{jax.tree_util.keystr(path)} is {np.dtype(kind)}: complex leaves "
                "are not supported, split them into real and imaginary parts "
                "(optax.contrib.split_real_and_imaginary)."
            )


def check_floating_tree(name: str, tree: PyTree) -> None:
    """Checks that every leaf is an array of real floating numbers, or a Python float.

    Raises:
        TypeError: one is not; the message gives its path.

    Example:
        >>> check_floating_tree("params", {"w": jnp.ones(2), "steps": jnp.zeros((), int)})
        Traceback (most recent call last):
        TypeError: params['steps'] must be floating, got int32.
    """
    check_real_tree(name, tree)
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        kind = getattr(leaf, "dtype", type(leaf))
        if kind is not float and not jnp.issubdtype(kind, jnp.floating):
            kind = getattr(kind, "__name__", kind)
            raise TypeError(f"{name}{jax.tree_util.keystr(path)} must be floating, got {kind}.")


def check_params_given(params: PyTree | None) -> None:
    """Checks that `update` got the parameters that its rule reads.

    Raises:
        ValueError: it did not.
    """
    if params is None:
        raise ValueError("params must be given: call update(updates, state, params).")


def check_updates(updates: PyTree, like: PyTree) -> None:
    """Checks that the updates are floating and match the parameters, whose structure `like` has.

    Raises:
        TypeError: a leaf is not floating.
        ValueError: structures or shapes differ; the message says where.
    """
    check_same_tree("updates", updates, "params", like)
    check_floating_tree("updates", updates)


def check_same_tree(name: str, tree: PyTree, like_name: str, like: PyTree) -> None:
    """Checks that two trees have the same structure and leaf shapes, and that `tree` is real.

    Raises:
        TypeError: a leaf of `tree` is complex.
        ValueError: structures or shapes differ; the message says where.
    """
    if jax.tree.structure(tree) != jax.tree.structure(like):
        raise ValueError(
            f"{name} must have the structure of {like_name}, {jax.tree.structure(like)}, "
            f"got {jax.tree.structure(tree)}."
        )
    check_real_tree(name, tree)
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    for (path, leaf), other in zip(leaves, jax.tree.leaves(like), strict=True):
        if jnp.shape(leaf) != jnp.shape(other):
            raise ValueError(
                f"{name}{jax.tree_util.keystr(path)} must have the shape of {like_name}, "
                f"{jnp.shape(other)}, got {jnp.shape(leaf)}."
            )
