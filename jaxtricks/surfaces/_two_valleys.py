"""Two parallel valleys, of which the right one is deeper."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.surfaces._double_well import double_well
from jaxtricks.surfaces._surface import Surface


def two_valleys(tilt: ScalarLike = 0.5, *, floor: ScalarLike = 0.1) -> Surface:
    r"""Makes the surface $f(x, y) = (x^2 - 1)^2 - c x + \frac12 h y^2$, with two parallel valleys.

    In the direction $x$, across the valleys, it is the curve of `double_well`; in the direction
    $y$, along the valleys, it is a parabola.

    Args:
        tilt: $c$, at least 0 and below $8 / 3^{3/2}$, about 1.5396, where the left valley vanishes.
            If it is above 0 the right valley is deeper.
        floor: $h > 0$, the curvature along the valleys.

    Raises:
        ValueError: `tilt` or `floor` is out of range.

    Example:
        >>> import jax
        >>> surface = two_valleys()
        >>> print(surface.optimum.round(3), jax.grad(surface)(jnp.array([1.0, 1.0])))
        [1.057 0.   ] [-0.5  0.1]
    """
    check_range("floor", floor, above=0.0)
    across = double_well(tilt)

    def loss(x: Float[Array, "2"]) -> Float[Array, ""]:
        return across.loss(x[0]) + 0.5 * jnp.asarray(floor, x.dtype) * x[1] ** 2

    return Surface(
        loss,
        start=jnp.array([-0.2, 2.0]),
        optimum=jnp.stack([across.optimum, jnp.zeros(())]),
        view=((-1.8, 1.8), (-2.5, 2.5)),
    )
