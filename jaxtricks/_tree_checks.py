"""Bad trees of arrays: one clear error that names the leaf. Values are not checked."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_leaves_with_path
from jaxtyping import PyTree

from jaxtricks._checks import shown


def leaf_dtype(label: str, leaf: object) -> np.dtype:
    """The dtype of a leaf, which must be an array or a number.

    Raises:
        TypeError: it is something else, such as a string or a function.

    Example:
        >>> leaf_dtype("params['w']", jnp.bfloat16(1))
        dtype(bfloat16)
        >>> leaf_dtype("params['w']", "float32")
        Traceback (most recent call last):
        TypeError: params['w'] must be an array of numbers, got 'float32'.
    """
    try:
        if isinstance(leaf, str | bytes | type | np.dtype):  # what merely names a dtype
            raise TypeError
        dtype = jnp.asarray(leaf).dtype if isinstance(leaf, int) else jnp.result_type(leaf)
        if not (
            jnp.issubdtype(dtype, jnp.number) or jnp.issubdtype(dtype, jnp.bool_)
        ):  # a key, or float0
            raise TypeError
        return dtype
    except (TypeError, OverflowError):
        raise TypeError(f"{label} must be an array of numbers, got {shown(leaf)}.") from None


def check_real_tree(name: str, tree: PyTree) -> None:
    """Checks that every leaf is an array or a number, and none is complex.

    Raises:
        TypeError: a leaf is not; the message gives its path.
    """
    for path, leaf in tree_leaves_with_path(tree):
        dtype = leaf_dtype(f"{name}{keystr(path)}", leaf)
        if jnp.issubdtype(dtype, jnp.complexfloating):
            raise TypeError(
                f"{name}{keystr(path)} is {dtype}: complex leaves are not supported, split them "
                "into real and imaginary parts (optax.contrib.split_real_and_imaginary)."
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
    for path, leaf in tree_leaves_with_path(tree):
        dtype = jnp.result_type(leaf)
        if not jnp.issubdtype(dtype, jnp.floating):
            raise TypeError(f"{name}{keystr(path)} must be floating, got {dtype}.")


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


def check_same_structure(name: str, tree: PyTree, like_name: str, like: PyTree) -> None:
    """Checks that two trees have the same structure.

    Raises:
        ValueError: they do not; the message names the first leaf that only one of them has.

    Example:
        >>> check_same_structure("updates", {"a": 1}, "params", {"a": 1, "b": {"c": 2}})
        Traceback (most recent call last):
        ValueError: updates must have the structure of params: updates['b']['c'] is missing.
    """
    if jax.tree.structure(tree) == jax.tree.structure(like):
        return
    own = [keystr(path) for path, _ in tree_leaves_with_path(tree)]
    wanted = [keystr(path) for path, _ in tree_leaves_with_path(like)]
    missing = [path for path in wanted if path not in set(own)]
    extra = [path for path in own if path not in set(wanted)]
    if missing:
        problem = f"{name}{missing[0]} is missing"
    elif extra:
        problem = f"{name}{extra[0]} is not in it"
    else:  # the same leaves in containers of other types
        problem = f"got {shown_structure(tree)} in place of {shown_structure(like)}"
    raise ValueError(f"{name} must have the structure of {like_name}: {problem}.")


def shown_structure(tree: PyTree) -> str:
    """How a message shows the containers of a tree."""
    text = str(jax.tree.structure(tree))
    return text if len(text) <= 200 else f"{text[:200]}..."


def check_same_tree(name: str, tree: PyTree, like_name: str, like: PyTree) -> None:
    """Checks that two trees have the same structure and leaf shapes, random keys among the leaves.

    Raises:
        ValueError: structures or shapes differ; the message says where.
    """
    check_same_structure(name, tree, like_name, like)
    for (path, leaf), other in zip(tree_leaves_with_path(tree), jax.tree.leaves(like), strict=True):
        if jnp.shape(leaf) != jnp.shape(other):
            raise ValueError(
                f"{name}{keystr(path)} must have the shape of {like_name}, "
                f"{jnp.shape(other)}, got {jnp.shape(leaf)}."
            )
