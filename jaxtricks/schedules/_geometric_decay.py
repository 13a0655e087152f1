"""Geometric decay: from one learning rate to another by equal ratios."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_integer, check_range
from jaxtricks._counted import counted
from jaxtricks._progress import progress
from jaxtricks._types import ScalarLike
from jaxtricks.schedules._schedule import Schedule


def geometric_decay(initial: ScalarLike, final: ScalarLike, total_steps: int) -> Schedule:
    r"""Multiplies the learning rate by the same ratio at every update, from `initial` to `final`.

    $\alpha_t = \alpha_0^{1 - t/T} \alpha_T^{t/T}$ for $t \le T$, and $\alpha_T$ after that. Up to
    $T$ this is `exponential_decay` with the decay rate $k = \ln(\alpha_0 / \alpha_T) / T$, but the
    arguments are the two end values, which it takes exactly.

    Args:
        initial: $\alpha_0 > 0$, the learning rate of the first update.
        final: $\alpha_T > 0$. If it is larger than `initial`, the learning rate rises, as in a
            learning-rate range test.
        total_steps: $T \ge 0$, the count at which `final` is reached; with 0 it is reached at once.

    Raises:
        ValueError: a learning rate is not positive or not finite, or `total_steps` is negative.
        TypeError: `total_steps` is not an integer.

    Example:
        >>> rate = geometric_decay(0.1, 1e-4, 3)
        >>> [round(float(rate(count)), 6) for count in range(5)]
        [0.1, 0.01, 0.001, 0.0001, 0.0001]

    References:
        For the range test, in which the learning rate rises linearly: Smith, [Cyclical learning
        rates for training neural networks](https://arxiv.org/abs/1506.01186), 2017, section 3.3.
    """
    check_range("initial", initial, above=0.0)
    check_range("final", final, above=0.0)
    check_integer("total_steps", total_steps, low=0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        done, left = progress(count, total_steps)
        start, end = jnp.float32(initial), jnp.float32(final)
        ratio = jnp.log(end) - jnp.log(start)  # the quotient of the two could overflow
        early = done < 0.5  # use the nearer end, where the rounding of the ratio matters least
        exponent = jnp.where(early, ratio * done, -ratio * left)
        return jnp.where(early, start, end) * jnp.exp(exponent)

    return schedule
