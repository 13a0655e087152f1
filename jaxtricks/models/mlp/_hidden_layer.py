"""What a block is told about one hidden layer."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array

from jaxtricks._types import DTypeLike, ScalarLike


class HiddenLayer(NamedTuple):
    """One hidden layer of an `MLP`, as its block is told about it.

    Attributes:
        features: number of units.
        activation: the activation function.
        dropout_rate: probability of dropping a unit, in `[0, 1]`; it may be traced.
        kernel_init: initializer of the weights, `(key, shape, dtype) -> array`.
        dtype: the dtype in which the layer computes, or None for Flax's promotion.
    """

    features: int
    activation: Callable[[Array], Array]
    dropout_rate: ScalarLike
    kernel_init: Callable[..., Array]
    dtype: DTypeLike | None
