"""Rotation of the plane."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._types import ScalarLike


def rotate(x: Float[Array, "2"], angle: ScalarLike) -> Float[Array, "2"]:
    """Rotates `x` counter-clockwise about the origin by `angle`, in radians.

    Example:
        >>> rotate(jnp.array([1.0, 0.0]), jnp.pi / 2).round(3).tolist()
        [-0.0, 1.0]
    """
    cos, sin = jnp.cos(angle).astype(x.dtype), jnp.sin(angle).astype(x.dtype)
    return jnp.stack([cos * x[0] - sin * x[1], sin * x[0] + cos * x[1]])
