"""A learning rate that falls as one over the time."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_range
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules._schedule import Schedule


def inverse_time_decay(initial: ScalarLike, rate: ScalarLike) -> Schedule:
    r"""Lowers the learning rate as one over the time: $\alpha_t = \alpha_0 / (1 + k t)$.

    It has halved after $1 / k$ updates and then falls ever more slowly. The sum of the learning
    rates is infinite and the sum of their squares is finite, which stochastic approximation needs.

    Args:
        initial: $\alpha_0$, the learning rate of the first update, at least 0.
        rate: $k \ge 0$, the decay rate per update.

    Raises:
        ValueError: `initial` or `rate` is negative or not finite.

    Example:
        >>> rate = inverse_time_decay(1.0, 0.5)
        >>> [round(float(rate(count)), 3) for count in (0, 1, 2, 6)]
        [1.0, 0.667, 0.5, 0.25]

    References:
        Robbins and Monro, [A stochastic approximation
        method](https://doi.org/10.1214/aoms/1177729586), 1951.
    """
    check_range("initial", initial, low=0.0)
    check_range("rate", rate, low=0.0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        return jnp.float32(initial) / (1 + jnp.float32(rate) * jnp.float32(count))

    return schedule
