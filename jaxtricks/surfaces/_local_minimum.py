"""A curve with a local and a global minimum."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks.surfaces._double_well import largest_critical_point
from jaxtricks.surfaces._surface import Surface


def local_minimum() -> Surface:
    r"""Makes the curve $f(x) = x^4 - 2 x^2 + x / 2$, which has a local and a global minimum.

    The local minimum is at 0.930 and the global minimum at -1.057.

    Example:
        >>> import jax
        >>> curve = local_minimum()
        >>> print(abs(jax.grad(curve)(0.930403)) < 1e-5, curve(0.930403) > curve(curve.optimum))
        True True
    """

    def loss(x: Float[Array, ""]) -> Float[Array, ""]:
        return x**4 - 2 * x**2 + 0.5 * x

    return Surface(
        loss,
        start=jnp.asarray(1.5),
        optimum=-largest_critical_point(jnp.asarray(0.5)),  # the mirror image of `double_well`
        view=((-1.7, 1.7), (-2.0, 3.0)),
    )
