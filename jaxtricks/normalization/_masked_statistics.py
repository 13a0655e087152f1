"""Batch statistics of the values that a mask chooses."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxtricks._checks import shown

Moments = tuple[
    Float[Array, "*row"], Float[Array, "*shape"], Float[Array, "*row"], Float[Array, ""]
]


def aligned_mask(
    mask: Bool[Array, "*some"], shape: tuple[int, ...], own: tuple[int, ...]
) -> Bool[Array, "*aligned"]:
    """Reshapes a mask to one axis for each axis of the input, of size 1 along the axes `own`.

    Args:
        mask: `[batch]`, or one axis for each axis that is not in `own`, of the same size or of size
            1.
        shape: the shape of the input.
        own: the axes along which the statistics vary.

    Raises:
        TypeError: `mask` is not a boolean array.
        ValueError: `mask` has another shape.

    Example:
        >>> aligned_mask(jnp.array([True, False]), (2, 5, 5, 3), (3,)).shape
        (2, 1, 1, 1)
    """
    if not isinstance(mask, jax.Array | np.ndarray) or mask.dtype.kind != "b":
        raise TypeError(f"mask must be a boolean array, got {shown(mask)}.")
    others = tuple(axis for axis in range(len(shape)) if axis not in own)
    sizes = tuple(shape[axis] for axis in others)
    given = (*mask.shape, *(1,) * (len(sizes) - 1)) if mask.ndim == 1 else mask.shape
    pairs = zip(given, sizes, strict=False)
    if len(given) != len(sizes) or not all(one in (1, size) for one, size in pairs):
        raise ValueError(
            f"mask must have the shape ({sizes[0]},), or one that fits {sizes}, got the shape "
            f"{mask.shape}."
        )
    places = dict(zip(others, given, strict=True))
    return mask.reshape([places.get(axis, 1) for axis in range(len(shape))])


def masked_statistics(
    x: Float[Array, "*shape"], mask: Bool[Array, "*aligned"], own: tuple[int, ...], name: str | None
) -> Moments:
    """Returns the mean, the centred values, the biased variance and the number of values.

    Args:
        x: the input, in float32 or wider.
        mask: which values count, from `aligned_mask`. The centred values are 0 elsewhere.
        own: the axes along which the statistics vary.
        name: name of a mapped axis over which the sums are taken too, or None.
    """
    axes = tuple(axis for axis in range(x.ndim) if axis not in own)

    def total(values: Array) -> Array:
        values = jnp.sum(values, axes, keepdims=True)
        return values if name is None else jax.lax.psum(values, name)

    def mean(values: Array, count: Array) -> Array:
        return total(jnp.where(mask, values, 0)) / jnp.maximum(count, 1)

    marked = total(mask.astype(x.dtype))
    count = marked * math.prod(x.shape[axis] for axis in axes if mask.shape[axis] == 1)
    # First subtract the mean of a few values, so that a mean of a million times the standard
    # deviation loses no digits. Along axes where the mask has size 1 only the first place is used.
    few = tuple(
        slice(1 if axis in axes and mask.shape[axis] == 1 else None) for axis in range(x.ndim)
    )
    origin = mean(jax.lax.stop_gradient(x[few]), marked)
    distance = x - origin
    offset = mean(distance, count)
    centred = jnp.where(mask, distance - offset, 0)
    var = mean(jnp.square(centred), count)
    return origin + offset, centred, var, jnp.squeeze(count)
