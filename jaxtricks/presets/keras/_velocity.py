"""Momentum as in Keras, whose velocity includes the learning rate."""

import optax

from jaxtricks._checks import check_flag, check_range
from jaxtricks._types import ScalarLike
from jaxtricks.optimizers import scale_by_momentum


def velocity(
    momentum: ScalarLike, *, nesterov: bool = False
) -> tuple[optax.GradientTransformationExtraArgs, ...]:
    """Returns the momentum, to put after the learning rate; no transformation for a Python 0.

    Raises:
        ValueError: `momentum` is not in `[0, 1]`.
        TypeError: `nesterov` is not a bool.

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
