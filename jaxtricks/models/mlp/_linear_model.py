"""Logistic regression as a network."""

from jaxtricks._checks import check_integer
from jaxtricks._types import DTypeLike
from jaxtricks.models.mlp._mlp import MLP


def linear_model(classes: int = 10, *, dtype: DTypeLike | None = None) -> MLP:
    """Returns an MLP without hidden layers, whose logits are linear in the pixels.

    Trained with cross-entropy, it is logistic regression.

    Args:
        classes: number of logits, at least 1.
        dtype: dtype of the computation and of the logits; see `MLP`.

    Raises:
        ValueError: `classes` is under 1.
        TypeError: `classes` is not an integer, or `dtype` is not floating.

    Example:
        >>> linear_model(3).features
        (3,)
    """
    check_integer("classes", classes, low=1)
    return MLP((classes,), dtype=dtype)
