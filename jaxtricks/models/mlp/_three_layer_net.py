"""A fully connected network of three layers."""

from jaxtricks._checks import check_integer, check_range
from jaxtricks._types import DTypeLike, ScalarLike
from jaxtricks.models.mlp._mlp import MLP


def three_layer_net(
    width: int = 100,
    *,
    dropout_rate: ScalarLike = 0.5,
    classes: int = 10,
    dtype: DTypeLike | None = None,
) -> MLP:
    """Returns an MLP with two hidden layers of `width` ReLU units, each followed by dropout.

    Args:
        width: number of units of each hidden layer, at least 1.
        dropout_rate: probability of dropping a unit, in `[0, 1]`.
        classes: number of logits, at least 1.
        dtype: dtype of the computation and of the logits; see `MLP`.

    Raises:
        ValueError: an argument is out of range.
        TypeError: a size is not an integer, or `dtype` is not floating.

    Example:
        >>> three_layer_net(50).features
        (50, 50, 10)
    """
    check_integer("width", width, low=1)
    check_integer("classes", classes, low=1)
    check_range("dropout_rate", dropout_rate, low=0.0, high=1.0)
    return MLP((width, width, classes), dropout_rates=dropout_rate, dtype=dtype)
