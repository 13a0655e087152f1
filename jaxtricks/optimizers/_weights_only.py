"""Penalties leave biases and normalisation parameters alone."""

import jax
from jaxtyping import PyTree


def weights_only(params: PyTree) -> PyTree:
    """The usual mask of a penalty: True except for the leaves called `bias` or `scale`.

    These are Flax's names of the biases and of the parameters of its normalisation layers.
    PyTorch's optimizers decay them too, as the rules here do without a mask.

    Args:
        params: the parameters; only the names matter. The box that Flax's partitioning and nnx put
            around a leaf does not count as a name.

    Raises:
        ValueError: a leaf has no name. `optax.inject_hyperparams` brings that about unless
            `static_args` lists `mask`: it takes any function for a schedule.

    Example:
        >>> import jax.numpy as jnp
        >>> weights_only({"Dense_0": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}})
        {'Dense_0': {'bias': False, 'kernel': True}}

    References:
        He et al., [Bag of tricks for image classification](https://arxiv.org/abs/1812.01187), 2019,
        section 3.1.
    """

    def is_weight(path: tuple, leaf: PyTree) -> bool:
        del leaf
        names = [jax.tree_util.keystr((key,), simple=True) for key in path]
        named = [name for name in names if not name.isdigit() and name != "value"]
        if not named:
            where = jax.tree_util.keystr(path) or "itself"
            raise ValueError(
                f"params must have named leaves to go by, the leaf {where} has no name."
            )
        return named[-1] not in ("bias", "scale")

    return jax.tree_util.tree_map_with_path(is_weight, params)
