"""Logistic regression."""

from jaxtricks._checks import check_length
from jaxtricks._types import DTypeLike
from jaxtricks.models.mlp._mlp import MLP


def linear_model(classes: int = 10, *, dtype: DTypeLike | None = None) -> MLP:
    """Returns an MLP without hidden layers: logits that are linear in the pixels.

    Trained with cross-entropy it is logistic regression.

    Args:
        classes: number of logits.
        dtype: of the computation and the logits, see `MLP`.

    Raises:
        ValueError: `classes` is under 1.
        TypeError: `classes` is not an integer, or `dtype` not floating.

    Example:
        >>> linear_model(3).features
        (3,)
    """
    check_length("classes", classes, low=1)
    return MLP((classes,), dtype=dtype)
