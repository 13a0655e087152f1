"""Vector norms without overflow or underflow."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._wide_dtype import wide_dtype


def unit_scale(
    x: Float[Array, "*shape"], axis: int | tuple[int, ...] | None = None
) -> Float[Array, "*scales"]:
    """Computes a power of 2 near the largest absolute entry along `axis`; 1 if all are zero.

    Division by it is exact, and leaves entries of at most 4, so that their squares do not overflow.
    Its exponent is limited so that its reciprocal is neither 0 nor infinite. The reduced axes keep
    length 1.

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
    """Computes the Euclidean norm along `axis`, in float32 or wider, without overflow.

    The reduced axes keep length 1.

    Example:
        >>> float(norm(jnp.array([3e30, 4e30]))[0]) == float(jnp.float32(5e30))
        True
    """
    wide = x.astype(wide_dtype(x.dtype))
    scale = unit_scale(wide, axis)
    return scale * jnp.sqrt(jnp.sum(jnp.square(wide / scale), axis, keepdims=True))
