"""The velocity of displacements that Keras keeps, with the rate already in them."""

import optax

from jaxtricks._checks import check_flag, check_range
from jaxtricks._types import ScalarLike
from jaxtricks.optimizers import scale_by_momentum


def velocity(
    momentum: ScalarLike, *, nesterov: bool = False
) -> tuple[optax.GradientTransformationExtraArgs, ...]:
    """Returns the link to put after the rate; none for a Python 0.

    Raises:
        ValueError: `momentum` is not in `[0, 1]`.

    Example:
        >>> import jax.numpy as jnp
        >>> len(velocity(0)), len(velocity(0.9)), len(velocity(jnp.zeros(())))
        (0, 1, 1)
    """
    check_range("momentum", momentum, low=0.0, high=1.0)
    check_flag("nesterov", nesterov)
    if isinstance(momentum, int | float) and momentum == 0:
        return ()
    return (scale_by_momentum(momentum, nesterov=nesterov),)
