"""A quadratic bowl with a curvature for each axis."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.surfaces._rotation import rotate
from jaxtricks.surfaces._surface import Surface


def quadratic(
    curvatures: Sequence[ScalarLike] | Array | np.ndarray = (1.0, 20.0), *, angle: ScalarLike = 0.0
) -> Surface:
    r"""Makes the surface $f(w) = \frac12 \sum_i h_i w_i^2$, in any number of dimensions.

    A step of gradient descent with the learning rate $\alpha$ multiplies coordinate $i$ by
    $1 - \alpha h_i$. Gradient descent converges if $\alpha < 2 / h_{max}$, but slowly in directions
    in which $h$ is small. The condition number is $\kappa = h_{max} / h_{min}$.

    Args:
        curvatures: $h$, one number for each dimension, at least 0. A curvature of 0 gives a flat
            direction; `saddle` has a negative curvature.
        angle: angle in radians by which to turn the bowl counter-clockwise, together with its
            start; other than 0 only in two dimensions.

    Raises:
        ValueError: `curvatures` is not a list of numbers or is empty, a curvature is negative, or
            `angle` is not 0 although there are not two curvatures.

    Example:
        >>> bowl = quadratic((1.0, 20.0))
        >>> float(bowl(jnp.array([2.0, 1.0])))
        12.0
        >>> jax.grad(bowl)(jnp.array([2.0, 1.0])).tolist()
        [2.0, 20.0]

    References:
        Goh, [Why momentum really works](https://distill.pub/2017/momentum/), 2017.
    """
    array = isinstance(curvatures, np.ndarray | jax.Array)
    listed = isinstance(curvatures, Sequence) and not isinstance(curvatures, str | bytes)
    if not (curvatures.ndim == 1 if array else listed) or len(curvatures) == 0:
        raise ValueError(f"curvatures must be a list of one or more numbers, got {curvatures!r}.")
    if not isinstance(curvatures, jax.core.Tracer):
        for i, curvature in enumerate(curvatures):
            check_range(f"curvatures[{i}]", curvature, low=0.0)
    check_range("angle", angle)
    dimension = len(curvatures)
    turned = isinstance(angle, jax.core.Tracer) or float(angle) != 0
    if turned and dimension != 2:
        raise ValueError(f"angle must be 0 unless there are 2 curvatures, got {angle}.")

    def loss(x: Float[Array, " n"]) -> Float[Array, ""]:
        w = rotate(x, -angle) if turned else x
        return 0.5 * jnp.sum(jnp.asarray(curvatures, x.dtype) * w * w)

    start = jnp.ones(dimension)
    return Surface(
        loss,
        start=rotate(start, angle) if turned else start,
        optimum=jnp.zeros(dimension),
        view=((-1.5, 1.5), (-1.5, 1.5)) if dimension == 2 else None,
    )
