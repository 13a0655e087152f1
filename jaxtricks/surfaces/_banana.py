"""A curved valley, on which momentum is often demonstrated."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks.surfaces._surface import Surface


def banana() -> Surface:
    r"""Makes the surface $f(x, y) = (1 - x)^2 + 20 (3 y - x^2)^2$, with its minimum at $(1, 1/3)$.

    It is a stretched form of Rosenbrock's valley. Goh's interactive demonstration of momentum uses
    it, with 150 steps from `start` and a learning rate of 0.003.

    Example:
        >>> import jax
        >>> surface = banana()
        >>> round(float(surface(surface.start)), 1)
        28.9
        >>> jax.grad(surface)(jnp.array([1.0, 0.0])).tolist()
        [80.0, -120.0]

    References:
        Goh, [Why momentum really works](https://distill.pub/2017/momentum/), 2017; Rosenbrock, [An
        automatic method for finding the greatest or least value of a
        function](https://doi.org/10.1093/comjnl/3.3.175), 1960.
    """

    def loss(x: Float[Array, "2"]) -> Float[Array, ""]:
        return (1 - x[0]) ** 2 + 20 * (3 * x[1] - x[0] ** 2) ** 2

    return Surface(
        loss,
        start=jnp.array([-1.21, 0.853]),
        optimum=jnp.array([1.0, 1 / 3]),
        view=((-2.0, 2.0), (-0.267, 1.067)),
    )
