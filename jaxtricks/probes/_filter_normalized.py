"""Directions in which networks of different scales can be compared."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key, PyTree

from jaxtricks._checks import check_key
from jaxtricks._tree_checks import check_floating_tree
from jaxtricks.probes._norm import norm


def filter_normalized(key: Key[Array, ""], params: PyTree) -> PyTree:
    r"""Draws a Gaussian direction and gives each filter of it the norm of the parameters' own.

    $d_{i} \leftarrow d_{i} \lVert \theta_{i} \rVert / \lVert d_{i} \rVert$ for each filter $i$, the
    weights of one output: all axes but the last of a kernel. So a step of 1 along it is as long
    as the weights, whatever their scale. Leaves with fewer than two axes (biases, norms) get
    zeros.

    Args:
        key: draws the direction.
        params: of any Flax model; their filters have the outputs on the last axis.

    Raises:
        TypeError: `key` is not a typed key, or a parameter not floating.

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
