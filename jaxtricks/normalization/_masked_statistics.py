"""Batch statistics of a part of the batch."""

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
    """Gives a mask one axis for each of an input's, of size 1 along those with own statistics.

    Args:
        mask: `[batch]`, or one axis for each of the other axes, each of their size or 1.
        shape: of the input.
        own: the axes with statistics of their own.

    Raises:
        TypeError: the mask is not boolean.
        ValueError: it has another shape.

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
            f"mask must be [{sizes[0]}], or fit the axes {sizes} without features, got the shape "
            f"{mask.shape}."
        )
    places = dict(zip(others, given, strict=True))
    return mask.reshape([places.get(axis, 1) for axis in range(len(shape))])


def masked_statistics(
    x: Float[Array, "*shape"], mask: Bool[Array, "*aligned"], own: tuple[int, ...], name: str | None
) -> Moments:
    """Returns mean, centred values (0 outside), biased variance and number of values.

    Args:
        x: the input, in float32 or wider.
        mask: from `aligned_mask`: which values count.
        own: the axes with statistics of their own.
        name: of a mapped axis over which the sums go too, or None.
    """
    axes = tuple(axis for axis in range(x.ndim) if axis not in own)

    def total(values: Array) -> Array:
        values = jnp.sum(values, axes, keepdims=True)
        return values if name is None else jax.lax.psum(values, name)

    def mean(values: Array, count: Array) -> Array:
        return total(jnp.where(mask, values, 0)) / jnp.maximum(count, 1)

    marked = total(mask.astype(x.dtype))
    count = marked * math.prod(x.shape[axis] for axis in axes if mask.shape[axis] == 1)
    # Centred first around a mean of a few values, so that one of a million times the deviation
    # does not swallow it: along axes that the mask does not tell apart, of the first place.
    few = tuple(
        slice(1 if axis in axes and mask.shape[axis] == 1 else None) for axis in range(x.ndim)
    )
    origin = mean(jax.lax.stop_gradient(x[few]), marked)
    distance = x - origin
    offset = mean(distance, count)
    centred = jnp.where(mask, distance - offset, 0)
    var = mean(jnp.square(centred), count)
    return origin + offset, centred, var, jnp.squeeze(count)
