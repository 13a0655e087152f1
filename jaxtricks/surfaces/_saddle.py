"""A saddle."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.surfaces._rotation import rotate
from jaxtricks.surfaces._surface import Surface


def saddle(*, angle: ScalarLike = 0.0, offset: ScalarLike = 0.01) -> Surface:
    r"""Makes the surface $f(x, y) = x^2 - y^2$, which has a saddle and no minimum.

    The gradient vanishes at the origin, where the Hessian has the eigenvalues 2 and -2. In each
    step of gradient descent $x$ shrinks towards 0, while $y$ is multiplied by $1 + 2 \alpha$, where
    $\alpha$ is the learning rate.

    Args:
        angle: angle in radians by which to turn the saddle counter-clockwise, together with its
            start.
        offset: $y_0$ of the start $(1, y_0)$, before turning. From a start with $y_0 = 0$ gradient
            descent ends at the saddle. If the angle is not 0, float32 loses offsets under 1e-7.

    Raises:
        ValueError: `angle` or `offset` is not finite.

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
