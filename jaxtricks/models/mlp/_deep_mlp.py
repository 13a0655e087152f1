"""A fully connected network of any depth."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array

from jaxtricks._checks import check_length
from jaxtricks._types import DTypeLike
from jaxtricks.initializers import gaussian
from jaxtricks.models.mlp._dense_block import dense_block
from jaxtricks.models.mlp._mlp import MLP, Block

SMALL_NORMAL = gaussian(std=0.01)


def deep_mlp(
    depth: int = 10,
    *,
    width: int = 500,
    activation: Callable[[Array], Array] = jnp.tanh,
    block: Block = dense_block,
    kernel_init: Callable[..., Array] = SMALL_NORMAL,
    classes: int = 10,
    dtype: DTypeLike | None = None,
) -> MLP:
    """Returns an MLP of equal hidden layers, to see how signals pass through depth.

    With the default start the signal shrinks from layer to layer until nothing is left of it; with
    `block=batch_norm_block` it does not.

    Args:
        depth: number of hidden layers.
        width: units of each.
        activation: activation function of the hidden layers.
        block: makes the layers of one hidden layer, see `MLP`.
        kernel_init: initializer of the weights, by default normal with a standard deviation of
            0.01.
        classes: number of logits.
        dtype: of the computation and the logits, see `MLP`.

    Raises:
        TypeError: a size is not an integer, a function cannot be called, or `dtype` is not
            floating.
        ValueError: a size is under 1.

    Example:
        >>> deep_mlp(3, width=7).features
        (7, 7, 7, 10)
    """
    for name, size in (("depth", depth), ("width", width), ("classes", classes)):
        check_length(name, size, low=1)
    return MLP(
        (*[width] * depth, classes),
        activation=activation,
        block=block,
        kernel_init=kernel_init,
        dtype=dtype,
    )
