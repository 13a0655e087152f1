"""A long valley with side valleys and one minimum."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks.surfaces._surface import Surface


def beale() -> Surface:
    r"""Makes the surface $(1.5 - x + xy)^2 + (2.25 - x + xy^2)^2 + (2.625 - x + xy^3)^2$.

    Its only minimum is at $(3, 0.5)$, where it is 0. The gradient vanishes at two more points, both
    saddles: $(0, 1)$, and $(0.101, -2.645)$ in the valley of negative $y$. The narrow regions into
    which momentum overshoots are valleys, not minima.

    Example:
        >>> import jax
        >>> float(beale()(jnp.array([3.0, 0.5])))
        0.0
        >>> jax.grad(beale())(jnp.array([0.0, 1.0])).tolist()
        [0.0, 0.0]

    References:
        Beale, On an iterative method for finding a local minimum of a function of more than one
        variable, 1958.
    """

    def loss(x: Float[Array, "2"]) -> Float[Array, ""]:
        a, b = x
        return (1.5 - a + a * b) ** 2 + (2.25 - a + a * b**2) ** 2 + (2.625 - a + a * b**3) ** 2

    return Surface(
        loss,
        start=jnp.array([1.0, 1.5]),
        optimum=jnp.array([3.0, 0.5]),
        view=((-1.0, 4.5), (-2.5, 2.0)),
    )
