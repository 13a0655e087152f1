"""The fully connected network of the batch-norm paper."""

from collections.abc import Callable

import flax.linen as nn
from jaxtyping import Array

from jaxtricks._checks import check_integer
from jaxtricks._types import DTypeLike
from jaxtricks.models.mlp._batch_norm_block import batch_norm_block
from jaxtricks.models.mlp._mlp import MLP, Block

LECUN_NORMAL = nn.initializers.lecun_normal()  # Flax's own default


def batch_norm_mlp(
    *,
    block: Block = batch_norm_block,
    kernel_init: Callable[..., Array] = LECUN_NORMAL,
    classes: int = 10,
    dtype: DTypeLike | None = None,
) -> MLP:
    """Returns an MLP with three hidden layers of 100 sigmoid units, each with batch norm.

    The paper trains it on MNIST and compares it with the same network without batch norm, which
    is `batch_norm_mlp(block=dense_block)`.

    Args:
        block: function that makes the layers of one hidden layer; see `MLP`.
        kernel_init: initializer of the weights, `(key, shape, dtype) -> array`. The paper starts
            from a normal distribution with a small standard deviation, such as
            `initializers.gaussian(std=0.01)`.
        classes: number of logits, at least 1.
        dtype: dtype of the computation and of the logits; see `MLP`.

    Raises:
        TypeError: `classes` is not an integer, a function cannot be called, or `dtype` is not
            floating.
        ValueError: `classes` is under 1.

    Example:
        >>> batch_norm_mlp().features
        (100, 100, 100, 10)

    References:
        Ioffe and Szegedy, [Batch normalization](https://arxiv.org/abs/1502.03167), 2015,
        section 4.1.
    """
    check_integer("classes", classes, low=1)
    return MLP(
        (100, 100, 100, classes),
        activation=nn.sigmoid,
        block=block,
        kernel_init=kernel_init,
        dtype=dtype,
    )
