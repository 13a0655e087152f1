"""A fully connected network with dropout before the activations."""

from collections.abc import Callable

import flax.linen as nn
from jaxtyping import Array

from jaxtricks._checks import check_integer, check_range
from jaxtricks._types import DTypeLike, ScalarLike
from jaxtricks.models.mlp._hidden_layer import HiddenLayer
from jaxtricks.models.mlp._mlp import MLP
from jaxtricks.regularizers import Dropout


def pytorch_mlp(
    dropout_rate: ScalarLike = 0.5, *, classes: int = 10, dtype: DTypeLike | None = None
) -> MLP:
    """Returns an MLP with two hidden layers of 200 ReLU units and dropout before each activation.

    ReLU commutes with dropout, so dropout after the activations would give the same numbers.

    Args:
        dropout_rate: probability of dropping a unit in both dropout layers, in `[0, 1]`.
        classes: number of logits, at least 1.
        dtype: dtype of the computation and of the logits; see `MLP`.

    Raises:
        ValueError: an argument is out of range.
        TypeError: `classes` is not an integer, or `dtype` is not floating.

    Example:
        >>> pytorch_mlp().features
        (200, 200, 10)
    """
    check_range("dropout_rate", dropout_rate, low=0.0, high=1.0)
    check_integer("classes", classes, low=1)
    sizes = (200, 200, classes)
    return MLP(sizes, dropout_rates=dropout_rate, block=early_dropout_block, dtype=dtype)


def early_dropout_block(hidden: HiddenLayer) -> tuple[Callable[..., Array], ...]:
    """Makes the layers of a hidden layer: dense, dropout, activation."""
    dense = nn.Dense(hidden.features, kernel_init=hidden.kernel_init, dtype=hidden.dtype)
    return dense, Dropout(hidden.dropout_rate), hidden.activation
