"""Standardization of inputs to mean 0 and standard deviation 1."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from jaxtricks._checks import check_integer, is_real
from jaxtricks._wide_dtype import wide_dtype


class Standardizer(NamedTuple):
    """The map `(x - mean) / std` of inputs, with its inverse: from `standardize` or `zero_center`.

    Attributes:
        mean: mean of the training examples; the averaged axes have length 1.
        std: standard deviation of the training examples, or 1 where it is not used, of the same
            shape as `mean`.

    Example:
        >>> scale = Standardizer(mean=jnp.array([2.0]), std=jnp.array([4.0]))
        >>> scale.apply(jnp.array([10.0])).tolist(), scale.inverse(jnp.array([2.0])).tolist()
        ([2.0], [10.0])
    """

    mean: Float[Array, "*features"]
    std: Float[Array, "*features"]

    def apply(self, x: Shaped[Array, "*shape"] | np.ndarray) -> Float[Array, "*shape"]:
        """Computes `(x - mean) / std`; integers become floats."""
        x = jnp.asarray(x)
        dtype = jnp.result_type(x, float)
        wide = x.astype(wide_dtype(dtype))
        return ((wide - self.mean.astype(wide.dtype)) / self.std.astype(wide.dtype)).astype(dtype)

    def inverse(self, x: Float[Array, "*shape"] | np.ndarray) -> Float[Array, "*shape"]:
        """Computes `x * std + mean`, the inverse of `apply`."""
        x = jnp.asarray(x)
        dtype = jnp.result_type(x, float)
        wide = x.astype(wide_dtype(dtype))
        return (wide * self.std.astype(wide.dtype) + self.mean.astype(wide.dtype)).astype(dtype)


def standardize(
    examples: Shaped[Array, "*shape"] | np.ndarray,
    *,
    axis: int | tuple[int, ...] = 0,
    ddof: int = 0,
) -> Standardizer:
    r"""Computes the mean and standard deviation of training examples, for $(x - \mu) / \sigma$.

    Apply the result to validation and test examples too; their own statistics would leak
    information about them. A feature that is constant, or whose standard deviation is too small for
    float32, gets $\sigma = 1$, so that `apply` maps it to about 0.

    Args:
        examples: the training examples, of any real dtype.
        axis: axes to average over: 0 computes separate statistics for each feature, and
            `(0, 1, 2)` for each channel of images.
        ddof: "delta degrees of freedom", an integer of at least 0: for $n$ values the sum of
            squared deviations is divided by $n$ minus `ddof`.

    Returns:
        A `Standardizer`, whose `apply` standardizes examples.

    Raises:
        ValueError: there are too few examples, `examples` has no such axis, or `ddof` is negative.
        TypeError: `examples` are not real numbers, `axis` is neither an integer nor a tuple of
            integers, or `ddof` is not an integer.

    Example:
        >>> scale = standardize(np.array([[0, 7], [4, 7]], np.uint8))
        >>> scale.apply(np.array([[0, 7], [8, 9]])).tolist()
        [[-1.0, 0.0], [3.0, 2.0]]

    References:
        LeCun et al., Efficient BackProp, 1998, section 4.3.
    """
    check_integer("ddof", ddof, low=0)
    if isinstance(examples, jax.Array) and jnp.issubdtype(examples.dtype, jax.dtypes.prng_key):
        raise TypeError(f"examples must be real numbers, got {examples.dtype}.")
    values = np.asarray(examples)
    if not (is_real(values.dtype) or values.dtype == bool):
        raise TypeError(f"examples must be real numbers, got {values.dtype}.")
    axes = axis if isinstance(axis, tuple) else (axis,)
    for place in axes:
        check_integer("axis", place, low=-values.ndim)
    if not axes or max(axes) >= values.ndim or len({a % values.ndim for a in axes}) < len(axes):
        raise ValueError(
            f"axis must name axes of examples, whose shape is {values.shape}, got {axis}."
        )
    if math.prod(values.shape[place] for place in axes) <= ddof:
        raise ValueError(
            f"examples must have more than ddof = {ddof} values along axis, got the shape "
            f"{values.shape}."
        )
    mean = np.mean(values, axis=axis, dtype=np.float64, keepdims=True)
    std = np.std(values, axis=axis, dtype=np.float64, keepdims=True, ddof=ddof)
    constant = np.min(values, axis=axis, keepdims=True) == np.max(values, axis=axis, keepdims=True)
    constant |= std < np.finfo(np.float32).tiny
    return Standardizer(
        mean=jnp.asarray(mean, float), std=jnp.asarray(np.where(constant, 1.0, std), float)
    )
