"""Random directions in parameter space, scaled like the parameters."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key, PyTree

from jaxtricks._checks import check_key
from jaxtricks._tree_checks import check_floating_tree
from jaxtricks.probes._norm import norm


def filter_normalized(key: Key[Array, ""], params: PyTree) -> PyTree:
    r"""Draws a random direction whose filters have the same norms as those of `params`.

    For each filter $i$ with weights $\theta_i$ the direction is
    $d_{i} \lVert \theta_{i} \rVert / \lVert d_{i} \rVert$ with Gaussian $d_i$. A filter holds the
    weights of one output: all axes of a kernel but the last. Adding the direction once thus moves
    each filter by its own norm, so that networks with weights of different scales can be compared.
    Leaves with fewer than two axes (biases and the scales of normalization layers) get zeros.

    Args:
        key: random key for the direction.
        params: the parameters of a Flax model, with the outputs on the last axis of each kernel.

    Returns:
        The direction, a tree like `params`.

    Raises:
        ValueError: `key` is an array of keys.
        TypeError: `key` is not a typed key, or a parameter is not floating.

    Example:
        >>> params = {"kernel": jnp.array([[3.0, 0.0], [4.0, 2.0]]), "bias": jnp.ones(2)}
        >>> direction = filter_normalized(jax.random.key(0), params)
        >>> jnp.linalg.norm(direction["kernel"], axis=0).round(4).tolist()
        [5.0, 2.0]

    References:
        Li et al., [Visualizing the loss landscape](https://arxiv.org/abs/1712.09913), 2018.
    """
    check_key("key", key)
    check_floating_tree("params", params)
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(key, max(len(leaves), 1))

    def one(key: Key[Array, ""], leaf: Array) -> Array:
        if jnp.ndim(leaf) < 2:
            return jnp.zeros_like(leaf)
        drawn = jax.random.normal(key, leaf.shape, leaf.dtype)
        axes = tuple(range(leaf.ndim - 1))
        return (drawn / norm(drawn, axes) * norm(leaf, axes)).astype(leaf.dtype)

    return jax.tree.unflatten(structure, [one(keys[i], leaf) for i, leaf in enumerate(leaves)])
