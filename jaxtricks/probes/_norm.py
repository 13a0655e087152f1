"""The length of a vector of any scale."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def norm(
    x: Float[Array, "*shape"], axis: int | tuple[int, ...] | None = None
) -> Float[Array, "*norms"]:
    """Root of the sum of squares, along axes of length 1 afterwards; squares do not overflow.

    Example:
        >>> float(norm(jnp.array([3e30, 4e30]))[0]) == float(jnp.float32(5e30))
        True
    """
    largest = jnp.max(jnp.abs(x), axis, keepdims=True)
    unit = x / jnp.where(largest > 0, largest, 1)
    return largest * jnp.sqrt(jnp.sum(jnp.square(unit), axis, keepdims=True))
