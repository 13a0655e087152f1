"""Exponential decay: the same relative cut at every update."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_range
from jaxtricks._count_powers import exponential
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules._schedule import Schedule


def exponential_decay(
    initial: ScalarLike, rate: ScalarLike, *, final: ScalarLike = 0.0
) -> Schedule:
    r"""Lowers the learning rate exponentially, $\alpha_t = \alpha_0 e^{-k t}$, down to `final`.

    The half-life is $\ln 2 / k$ updates. To give the last learning rate instead of the decay rate
    $k$, use `geometric_decay`.

    Args:
        initial: $\alpha_0$, the learning rate of the first update, at least 0.
        rate: $k \ge 0$, the decay rate per update; divide a decay rate per epoch by
            `steps_per_epoch`.
        final: the lowest learning rate, at least 0; in optax it is `end_value`.

    Raises:
        ValueError: `initial`, `rate` or `final` is negative or not finite.

    Example:
        >>> rate = exponential_decay(1.0, 0.5)
        >>> [round(float(rate(count)), 3) for count in range(4)]
        [1.0, 0.607, 0.368, 0.223]
        >>> rate = exponential_decay(1.0, 0.5, final=0.4)
        >>> [round(float(rate(count)), 3) for count in range(4)]
        [1.0, 0.607, 0.4, 0.4]

    References:
        Li and Arora, [An exponential learning rate schedule for deep
        learning](https://arxiv.org/abs/1910.07454), 2020.
    """
    check_range("initial", initial, low=0.0)
    check_range("rate", rate, low=0.0)
    check_range("final", final, low=0.0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        decayed = jnp.float32(initial) * exponential(-rate, count)
        return jnp.maximum(decayed, jnp.float32(final))

    return schedule
