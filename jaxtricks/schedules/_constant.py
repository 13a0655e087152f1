"""A constant learning rate."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_range
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules._schedule import Schedule


def constant(value: ScalarLike) -> Schedule:
    r"""Keeps the learning rate at `value`: $\alpha_t = \alpha$.

    Args:
        value: $\alpha$, at least 0.

    Raises:
        ValueError: `value` is negative or not finite.

    Example:
        >>> rate = constant(0.1)
        >>> [round(float(rate(count)), 3) for count in (0, 1, 1000)]
        [0.1, 0.1, 0.1]
    """
    check_range("value", value, low=0.0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        del count
        return jnp.float32(value)

    return schedule
