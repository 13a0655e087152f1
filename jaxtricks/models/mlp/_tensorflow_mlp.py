"""A fully connected network that narrows from layer to layer."""

import flax.linen as nn

from jaxtricks._checks import check_integer, check_range
from jaxtricks._types import DTypeLike, ScalarLike
from jaxtricks.models.mlp._mlp import MLP


def tensorflow_mlp(
    dropout_rate: ScalarLike = 0.5, *, classes: int = 10, dtype: DTypeLike | None = None
) -> MLP:
    """Returns an MLP of 256, 128, 64 and 32 ReLU units, with dropout after the first two layers.

    The weights start from Glorot's uniform distribution, as in Keras by default.

    Args:
        dropout_rate: probability of dropping a unit in both dropout layers, in `[0, 1]`.
        classes: number of logits, at least 1.
        dtype: dtype of the computation and of the logits; see `MLP`.

    Raises:
        ValueError: an argument is out of range.
        TypeError: `classes` is not an integer, or `dtype` is not floating.

    Example:
        >>> tensorflow_mlp(0.2).dropout_rates
        (0.2, 0.2, 0.0, 0.0)
    """
    check_range("dropout_rate", dropout_rate, low=0.0, high=1.0)
    check_integer("classes", classes, low=1)
    return MLP(
        (256, 128, 64, 32, classes),
        dropout_rates=(dropout_rate, dropout_rate, 0.0, 0.0),
        kernel_init=nn.initializers.glorot_uniform(),
        dtype=dtype,
    )
