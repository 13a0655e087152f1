"""Splitting the parameters into those that are trained and those that are not."""

import jax
from jaxtyping import PyTree

from jaxtricks._prefix import Mask, expand_mask


def split_params(trainable: Mask, params: PyTree) -> tuple[PyTree, PyTree]:
    """Splits parameters into the trained and the frozen ones, as two trees with None elsewhere.

    Raises:
        TypeError: a leaf of `trainable` is not a bool.
        ValueError: `trainable` is not a prefix of the parameters.

    Example:
        >>> split_params({"body": False, "head": True}, {"body": [1.0], "head": 2.0})
        ({'body': [None], 'head': 2.0}, {'body': [1.0], 'head': None})
    """
    mask = expand_mask("trainable", trainable, params)
    trained = jax.tree.map(lambda keep, leaf: leaf if keep else None, mask, params)
    return trained, jax.tree.map(lambda keep, leaf: None if keep else leaf, mask, params)


def join_params(trained: PyTree, frozen: PyTree) -> PyTree:
    """Joins trained and frozen parameters into one tree; undoes `split_params`."""
    return jax.tree.map(
        lambda one, other: other if one is None else one,
        trained,
        frozen,
        is_leaf=lambda leaf: leaf is None,
    )
