"""Checks of trees of arrays, whose errors name the leaf. The values in them are not checked."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_leaves_with_path
from jaxtyping import PyTree

from jaxtricks._checks import shown


def leaf_dtype(leaf: object) -> np.dtype | None:
    """Returns the dtype of an array of numbers or bools, or of a number; None for anything else.

    Example:
        >>> leaf_dtype(jnp.bfloat16(1)), leaf_dtype("float32"), leaf_dtype(jax.random.key(0))
        (dtype(bfloat16), None, None)
    """
    if isinstance(leaf, str | bytes | type | np.dtype):  # may be the name of a dtype
        return None
    try:
        dtype = jnp.asarray(leaf).dtype if isinstance(leaf, int) else jnp.result_type(leaf)
    except (TypeError, OverflowError):
        return None
    number = jnp.issubdtype(dtype, jnp.number) or jnp.issubdtype(dtype, jnp.bool_)
    return dtype if number else None  # excludes the dtypes of keys and float0


def is_array(leaf: object) -> bool:
    """Whether `leaf` is a number, or an array of numbers, bools or random keys.

    Example:
        >>> is_array(1.0), is_array(jax.random.key(0)), is_array(np.array(["text"]))
        (True, True, False)
    """
    return isinstance(leaf, jax.Array) or leaf_dtype(leaf) is not None


def check_real_tree(name: str, tree: PyTree) -> None:
    """Checks that every leaf is a number, or an array of numbers or bools, and not complex.

    Raises:
        TypeError: a leaf is anything else; the message names its path.

    Example:
        >>> check_real_tree("params", {"w": "float32"})
        Traceback (most recent call last):
        TypeError: params['w'] must be an array of numbers, got 'float32'.
    """
    for path, leaf in tree_leaves_with_path(tree):
        dtype = leaf_dtype(leaf)
        if dtype is None or jnp.issubdtype(dtype, jnp.complexfloating):
            raise TypeError(_fault(f"{name}{keystr(path)}", leaf, dtype))


def check_floating_tree(name: str, tree: PyTree) -> None:
    """Checks that every leaf is an array of real floating numbers, or a Python float.

    Raises:
        TypeError: a leaf is anything else; the message names its path.

    Example:
        >>> check_floating_tree("params", {"w": jnp.ones(2), "steps": jnp.zeros((), int)})
        Traceback (most recent call last):
        TypeError: params['steps'] must be floating, got int32.
    """
    for path, leaf in tree_leaves_with_path(tree):
        dtype = leaf_dtype(leaf)
        if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
            raise TypeError(_fault(f"{name}{keystr(path)}", leaf, dtype))


def _fault(label: str, leaf: object, dtype: np.dtype | None) -> str:
    if dtype is None:
        return f"{label} must be an array of numbers, got {shown(leaf)}."
    if jnp.issubdtype(dtype, jnp.complexfloating):
        return (
            f"{label} is {dtype}: complex leaves are not supported, split them into real and "
            "imaginary parts (optax.contrib.split_real_and_imaginary)."
        )
    return f"{label} must be floating, got {dtype}."


def check_params_given(params: PyTree | None) -> None:
    """Checks that `update` received the parameters, for an update rule that needs them.

    Raises:
        ValueError: `params` is None.
    """
    if params is None:
        raise ValueError("params must be given: call update(updates, state, params).")


def check_updates(updates: PyTree, like: PyTree | None) -> None:
    """Checks that the updates are floating and have the structure and shapes of `like`.

    `like` is a tree with the structure of the parameters, or None if they are not known.

    Raises:
        TypeError: a leaf is not floating.
        ValueError: structures or shapes differ; the message names the leaf.
    """
    if like is not None:
        check_same_tree("updates", updates, "params", like)
    check_floating_tree("updates", updates)


def check_same_structure(name: str, tree: PyTree, like_name: str, like: PyTree) -> None:
    """Checks that two trees have the same structure.

    Raises:
        ValueError: the structures differ; the message names the first leaf that only one tree has.

    Example:
        >>> check_same_structure("updates", {"a": 1}, "params", {"a": 1, "b": {"c": 2}})
        Traceback (most recent call last):
        ValueError: updates must have the structure of params: updates['b']['c'] is missing.
    """
    if jax.tree.structure(tree) != jax.tree.structure(like):
        problem = first_difference(name, tree, like)
        raise ValueError(f"{name} must have the structure of {like_name}: {problem}.")


def first_difference(name: str, tree: PyTree, like: PyTree, *, prefix: bool = False) -> str:
    """Names the first leaf that only one of two trees has.

    Args:
        name: name of `tree`, for the message.
        tree: the tree to check.
        like: the tree whose structure `tree` should have.
        prefix: whether a leaf of `tree` may stand for a branch of `like`.

    Example:
        >>> first_difference("mask", {"a": True}, {"a": [1, 2], "b": 3}, prefix=True)
        "mask['b'] is missing"
    """

    def paths(tree: PyTree) -> list[tuple[str, ...]]:
        return [tuple(map(str, path)) for path, _ in tree_leaves_with_path(tree)]

    def places(path: tuple[str, ...]) -> set[tuple[str, ...]]:
        return {path[:length] for length in range(0 if prefix else len(path), len(path) + 1)}

    own, wanted = paths(tree), paths(like)
    has, allowed = set(own), set().union(*map(places, wanted))
    missing = [path for path in wanted if places(path).isdisjoint(has)]
    extra = [path for path in own if path not in allowed]
    if missing:
        but = f", and {name}{''.join(extra[0])} is not in it" if extra else ""
        return f"{name}{''.join(missing[0])} is missing{but}"
    if extra:
        return f"{name}{''.join(extra[0])} is not in it"
    # Both trees have the same leaves in containers of different types.
    return f"got {shown_structure(tree)} in place of {shown_structure(like)}"


def shown_structure(tree: PyTree) -> str:
    """Returns the structure of a tree as text for a message."""
    text = str(jax.tree.structure(tree))
    return text if len(text) <= 200 else f"{text[:200]}..."


def check_same_tree(name: str, tree: PyTree, like_name: str, like: PyTree) -> None:
    """Checks that two trees have the same structure and the same shapes of leaves.

    The leaves are numbers or arrays, including random keys.

    Raises:
        TypeError: a leaf of `tree` is neither an array nor a number.
        ValueError: structures or shapes differ; the message names the leaf.
    """
    check_same_structure(name, tree, like_name, like)
    for (path, leaf), other in zip(tree_leaves_with_path(tree), jax.tree.leaves(like), strict=True):
        if not is_array(leaf):
            raise TypeError(
                f"{name}{keystr(path)} must be an array or a number, got {shown(leaf)}."
            )
        if jnp.shape(leaf) != jnp.shape(other):
            raise ValueError(
                f"{name}{keystr(path)} must have the shape of {like_name}, "
                f"{jnp.shape(other)}, got {jnp.shape(leaf)}."
            )
