"""Penalties leave biases and normalisation parameters alone."""

import jax
from jaxtyping import PyTree


def weights_only(params: PyTree) -> PyTree:
    """The usual mask of a penalty: True but for the leaves called `bias` or `scale`.

    These are Flax's names of the biases and of the parameters of its normalisation layers. PyTorch
    decays them too, which is no mask at all.

    Args:
        params: the parameters; only the names matter.

    Example:
        >>> import jax.numpy as jnp
        >>> weights_only({"Dense_0": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}})
        {'Dense_0': {'bias': False, 'kernel': True}}

    References:
        S-REG-06: 004:670 and 002:656 penalise weights only, PyTorch's 001:21 everything.
    """

    def is_weight(path: tuple, leaf: PyTree) -> bool:
        del leaf
        return jax.tree_util.keystr(path[-1:], simple=True) not in ("bias", "scale")

    return jax.tree_util.tree_map_with_path(is_weight, params)
