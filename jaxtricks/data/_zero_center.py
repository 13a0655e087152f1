"""Centering of inputs to mean 0."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Shaped

from jaxtricks.data._standardize import Standardizer, standardize


def zero_center(
    examples: Shaped[Array, "*shape"] | np.ndarray, *, axis: int | tuple[int, ...] = 0
) -> Standardizer:
    r"""Computes the mean of training examples, for $x - \mu$.

    Apply the result to validation and test examples too; their own means would leak information
    about them.

    Args:
        examples: the training examples, of any real dtype.
        axis: axes to average over: 0 gives the mean image, `(0, 1, 2)` the mean of each channel.

    Returns:
        A `Standardizer` whose `std` is 1; its `apply` subtracts the mean.

    Raises:
        ValueError: there is no example, or `examples` has no such axis.
        TypeError: `examples` are not real numbers, or `axis` is neither an integer nor a tuple of
            integers.

    Example:
        >>> center = zero_center(np.array([[0, 7], [4, 7]], np.uint8))
        >>> center.apply(np.array([[0, 7], [8, 9]])).tolist()
        [[-2.0, 0.0], [6.0, 2.0]]

    References:
        LeCun et al., Efficient BackProp, 1998, section 4.3.
    """
    mean = standardize(examples, axis=axis).mean
    return Standardizer(mean, jnp.ones_like(mean))
