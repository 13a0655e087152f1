"""Bad trees of arrays: one clear error that names the leaf. Values are not checked."""

import jax
import jax.numpy as jnp
from jaxtyping import PyTree


def check_real_tree(name: str, tree: PyTree) -> None:
    """Checks that no leaf is complex.

    Raises:
        TypeError: a leaf is; the message gives its path.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if jnp.issubdtype(jnp.result_type(leaf), jnp.complexfloating):
            raise TypeError(
                f"{name}{jax.tree_util.keystr(path)} is {jnp.result_type(leaf)}: complex leaves "
                "are not supported, split them into real and imaginary parts "
                "(optax.contrib.split_real_and_imaginary)."
            )


def check_floating_tree(name: str, tree: PyTree) -> None:
    """Checks that every leaf is an array of floating numbers, or a Python float.

    Raises:
        TypeError: one is not; the message gives its path.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise TypeError(
                f"{name}{jax.tree_util.keystr(path)} must be floating, got {jnp.result_type(leaf)}."
            )


def check_params_given(params: PyTree | None) -> None:
    """Checks that `update` got the parameters that its rule reads.

    Raises:
        ValueError: it did not.
    """
    if params is None:
        raise ValueError("params must be given: call update(updates, state, params).")


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
