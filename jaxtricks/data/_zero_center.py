"""Inputs with mean 0."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Shaped

from jaxtricks.data._standardize import Standardizer, standardize


def zero_center(
    examples: Shaped[Array, "*shape"] | np.ndarray, *, axis: int | tuple[int, ...] = 0
) -> Standardizer:
    r"""Measures the mean of training examples, to be subtracted: $x - \mu$.

    Apply the result to validation and test examples too. Its `std` is 1.

    Args:
        examples: the training examples, any real type.
        axis: what to average over: 0 gives the mean image, `(0, 1, 2)` the mean of each channel.

    Raises:
        ValueError: there is no example, or no such axis.
        TypeError: the examples are not real numbers.

    Example:
        >>> center = zero_center(np.array([[0, 7], [4, 7]], np.uint8))
        >>> center.apply(np.array([[0, 7], [8, 9]])).tolist()
        [[-2.0, 0.0], [6.0, 2.0]]

    References:
        LeCun et al., Efficient BackProp, 1998, section 4.3.
    """
    mean = standardize(examples, axis=axis).mean
    return Standardizer(mean, jnp.ones_like(mean))
