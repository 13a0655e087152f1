"""A curve with a shallow well, a hill and a deep well."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.surfaces._surface import Surface

TILT_OF_ONE_WELL = 8 / (3 * math.sqrt(3))


def double_well(tilt: ScalarLike = 0.5) -> Surface:
    r"""Makes the curve $f(x) = (x^2 - 1)^2 - c x$, with wells near -1 and 1.

    If $c > 0$ the right well is deeper. From `start`, on the left slope, gradient descent stops in
    the left well, while enough momentum carries it over the hill. The optimum is the largest root
    of $f' = 0$, by Viète's formula.

    Args:
        tilt: $c$, at least 0 and below $8 / 3^{3/2}$, about 1.5396, where the left well vanishes.
            It may be traced.

    Raises:
        ValueError: `tilt` is out of range.

    Example:
        >>> well = double_well(0.5)
        >>> [round(float(x), 3) for x in (well.optimum, well(well.optimum), well(-0.9304))]
        [1.057, -0.515, 0.483]
    """
    check_range("tilt", tilt, low=0.0, below=TILT_OF_ONE_WELL)

    def loss(x: Float[Array, ""]) -> Float[Array, ""]:
        return (x**2 - 1) ** 2 - jnp.asarray(tilt, x.dtype) * x

    return Surface(
        loss,
        start=jnp.asarray(-1.6),
        optimum=largest_critical_point(jnp.asarray(tilt, float)),
        view=((-1.8, 1.8), (-2.0, 6.0)),
    )


def largest_critical_point(tilt: Float[Array, ""]) -> Float[Array, ""]:
    """Solves $4 x^3 - 4 x = c$ for the largest of its three real roots."""
    return 2 / math.sqrt(3) * jnp.cos(jnp.arccos(tilt / TILT_OF_ONE_WELL) / 3)
