"""The length of a vector of any scale."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._wide_dtype import wide_dtype


def unit_scale(
    x: Float[Array, "*shape"], axis: int | tuple[int, ...] | None = None
) -> Float[Array, "*scales"]:
    """The power of 2 next to the largest entry, along axes of length 1 afterwards; 1 for zeros.

    Dividing by it is exact, and leaves entries of at most 4 whose squares do not overflow. It is
    neither so large nor so small that its reciprocal would be rounded to 0 or to infinity.

    Example:
        >>> float(unit_scale(jnp.array([0.1, -3.0]))[0])
        4.0
    """
    largest = jnp.max(jnp.abs(x), axis, keepdims=True)
    bound = jnp.finfo(x.dtype).maxexp - 2
    _, exponent = jnp.frexp(jnp.where(jnp.isfinite(largest), largest, 1))
    return jnp.ldexp(jnp.ones_like(largest), jnp.clip(exponent, -bound, bound))


def norm(
    x: Float[Array, "*shape"], axis: int | tuple[int, ...] | None = None
) -> Float[Array, "*norms"]:
    """Root of the sum of squares, float32 or wider, along axes of length 1 afterwards.

    Squares do not overflow.

    Example:
        >>> float(norm(jnp.array([3e30, 4e30]))[0]) == float(jnp.float32(5e30))
        True
    """
    wide = x.astype(wide_dtype(x.dtype))
    scale = unit_scale(wide, axis)
    return scale * jnp.sqrt(jnp.sum(jnp.square(wide / scale), axis, keepdims=True))
