"""A fully connected network of any depth."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array

from jaxtricks._checks import check_integer
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
    """Returns an MLP with equal hidden layers, to study how signals pass through many layers.

    With the default initial weights the activations shrink from layer to layer until they vanish.
    With `block=batch_norm_block` they keep their size.

    Args:
        depth: number of hidden layers, at least 1.
        width: number of units of each hidden layer, at least 1.
        activation: activation function of the hidden layers.
        block: function that makes the layers of one hidden layer; see `MLP`.
        kernel_init: initializer of the weights, `(key, shape, dtype) -> array`; by default normal
            with a standard deviation of 0.01.
        classes: number of logits, at least 1.
        dtype: dtype of the computation and of the logits; see `MLP`.

    Raises:
        TypeError: a size is not an integer, a function cannot be called, or `dtype` is not
            floating.
        ValueError: a size is under 1.

    Example:
        >>> deep_mlp(3, width=7).features
        (7, 7, 7, 10)
    """
    for name, size in (("depth", depth), ("width", width), ("classes", classes)):
        check_integer(name, size, low=1)
    return MLP(
        (*[width] * depth, classes),
        activation=activation,
        block=block,
        kernel_init=kernel_init,
        dtype=dtype,
    )
