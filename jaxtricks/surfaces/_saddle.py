"""Down one way, up the other."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.surfaces._rotation import rotate
from jaxtricks.surfaces._surface import Surface


def saddle(*, angle: ScalarLike = 0.0, offset: ScalarLike = 0.01) -> Surface:
    r"""Makes $f(x, y) = x^2 - y^2$, which has no minimum.

    The gradient vanishes at the origin, where the Hessian's eigenvalues are 2 and -2. Gradient
    descent goes to the origin along x while $y_0$ grows by $1 + 2 \alpha$ a step.

    Args:
        angle: turns the saddle, and the start with it, in radians.
        offset: $y_0$, how far the start is from the x axis, along which gradient descent ends at
            the saddle. Turned, offsets under 1e-7 of x are lost in float32.

    Raises:
        ValueError: an argument is not finite.

    Example:
        >>> import jax
        >>> surface = saddle(offset=0.01)
        >>> jax.grad(surface)(surface.start).tolist()
        [2.0, -0.0199...]

    References:
        Dauphin et al., [Identifying and attacking the saddle point
        problem](https://arxiv.org/abs/1406.2572), 2014.
    """
    check_range("angle", angle)
    check_range("offset", offset)

    def loss(x: Float[Array, "2"]) -> Float[Array, ""]:
        across, along = rotate(x, -angle)
        return across**2 - along**2

    start = rotate(jnp.stack([jnp.ones(()), jnp.asarray(offset, float)]), angle)
    return Surface(loss, start=start, view=((-1.5, 1.5), (-1.5, 1.5)))
