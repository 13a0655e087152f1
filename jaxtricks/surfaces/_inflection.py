"""A cubic curve, with an inflection point at 0."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks.surfaces._surface import Surface


def inflection() -> Surface:
    r"""Makes the curve $f(x) = x^3$, whose gradient vanishes at 0, which is not a minimum.

    Example:
        >>> import jax
        >>> curve = inflection()
        >>> print(jax.grad(curve)(0.0), curve(0.0), curve(-0.5))
        0.0 0.0 -0.125
    """

    def loss(x: Float[Array, ""]) -> Float[Array, ""]:
        return x**3

    return Surface(loss, start=jnp.asarray(1.0), view=((-1.2, 1.2), (-1.8, 1.8)))
