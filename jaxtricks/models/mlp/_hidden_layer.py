"""The description of one hidden layer of an `MLP`."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array

from jaxtricks._types import DTypeLike, ScalarLike


class HiddenLayer(NamedTuple):
    """The description of one hidden layer, which an `MLP` passes to its `block`.

    Attributes:
        features: number of units, at least 1.
        activation: the activation function.
        dropout_rate: probability of dropping a unit, in `[0, 1]`; it may be traced.
        kernel_init: initializer of the weights, `(key, shape, dtype) -> array`.
        dtype: dtype of the computation. None promotes the dtype of the input with that of the
            parameters, as Flax does.
    """

    features: int
    activation: Callable[[Array], Array]
    dropout_rate: ScalarLike
    kernel_init: Callable[..., Array]
    dtype: DTypeLike | None
