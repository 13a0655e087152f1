"""Cosine decay: half a cosine wave from the initial learning rate down to the final one."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_integer, check_range
from jaxtricks._counted import counted
from jaxtricks._progress import cosine_between, polynomial_between, progress
from jaxtricks._types import ScalarLike
from jaxtricks.schedules._schedule import Schedule


def cosine_decay(
    initial: ScalarLike,
    total_steps: int,
    *,
    final: ScalarLike = 0.0,
    exponent: ScalarLike = 1.0,
) -> Schedule:
    r"""Lowers the learning rate from `initial` to `final` along half a cosine wave.

    $\alpha_t = \alpha_T + (\alpha_0 - \alpha_T) (\frac12 + \frac12 \cos(\pi t / T))^p$ for
    $t \le T$, and $\alpha_T$ after that. The learning rate falls slowly, then fast, then slowly.

    Args:
        initial: $\alpha_0$, the learning rate of the first update, at least 0.
        total_steps: $T \ge 0$, the count at which `final` is reached; with 0 it is reached at once.
        final: $\alpha_T$, at least 0.
        exponent: $p > 0$. 1 is the cosine itself; with a larger exponent the learning rate falls
            sooner. It is the `exponent` of `optax.cosine_decay_schedule`, whose `alpha` is
            $\alpha_T / \alpha_0$.

    Raises:
        ValueError: a learning rate is negative or not finite, `total_steps` is negative, or
            `exponent` is not positive or not finite.
        TypeError: `total_steps` is not an integer.

    Example:
        >>> rate = cosine_decay(1.0, 4)
        >>> [round(float(rate(count)), 3) for count in range(6)]
        [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
        >>> rate = cosine_decay(1.0, 4, exponent=2.0)
        >>> [round(float(rate(count)), 3) for count in range(6)]
        [1.0, 0.729, 0.25, 0.021, 0.0, 0.0]

    References:
        Loshchilov and Hutter, [SGDR](https://arxiv.org/abs/1608.03983), 2017, eq. 5 with one cycle.
    """
    check_range("initial", initial, low=0.0)
    check_range("final", final, low=0.0)
    check_integer("total_steps", total_steps, low=0)
    check_range("exponent", exponent, above=0.0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        done, left = progress(count, total_steps)
        if not isinstance(exponent, jax.core.Tracer) and exponent == 1:
            return cosine_between(initial, final, done, left)
        over, ahead = jnp.sin(jnp.pi / 2 * done) ** 2, jnp.sin(jnp.pi / 2 * left) ** 2
        return polynomial_between(initial, final, over, ahead, exponent)

    return schedule
