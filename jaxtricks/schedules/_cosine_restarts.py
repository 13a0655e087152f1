"""Cosine decay with warm restarts."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._check_static import check_static_integer
from jaxtricks._checks import MAX_INT32, check_integer, check_range
from jaxtricks._count_powers import power
from jaxtricks._counted import counted
from jaxtricks._progress import cosine_between
from jaxtricks._types import ScalarLike
from jaxtricks.schedules._schedule import Schedule


def cosine_restarts(
    initial: ScalarLike,
    first_steps: int,
    *,
    multiplier: int = 1,
    final: ScalarLike = 0.0,
    peak_factor: ScalarLike = 1.0,
    final_factor: ScalarLike = 1.0,
) -> Schedule:
    r"""Lowers the learning rate along half a cosine wave, and restarts it at each new cycle.

    Cycle $i$, counted from 0, is $T_i = T_0 m^i$ updates long. At $T_\mathrm{cur}$ updates after
    the start of the cycle, the learning rate is $\eta_t = \eta_{\min}^i +
    \frac12 (\eta_{\max}^i - \eta_{\min}^i) (1 + \cos(\pi T_\mathrm{cur} / T_i))$. Restarts happen
    at exact updates, up to the largest int32, because they are computed with integers. A count may
    be a fraction, for example of an epoch, as in the paper. The last update of a cycle does not
    quite reach $\eta_{\min}^i$, because the formula reaches it only one update later.

    Args:
        initial: $\eta_{\max}^0$, the learning rate of the first update, at least 0.
        first_steps: $T_0 \ge 1$, the length of the first cycle.
        multiplier: $m \ge 1$, an integer: each cycle is $m$ times as long as the one before.
        final: $\eta_{\min}^0$, the lower end of the first cycle, at least 0.
        peak_factor: the peak of a cycle divided by that of the cycle before,
            $\eta_{\max}^{i+1} / \eta_{\max}^i$, in `(0, 1]`.
        final_factor: the lower end of a cycle divided by that of the cycle before,
            $\eta_{\min}^{i+1} / \eta_{\min}^i$, in `(0, 1]`.

    Raises:
        ValueError: a learning rate is negative or not finite, a factor is outside `(0, 1]`, or
            `first_steps` or `multiplier` is less than 1.
        TypeError: `first_steps` or `multiplier` is not an integer, or `multiplier` is traced, which
            is refused because it fixes the number of cycles.

    Example:
        >>> rate = cosine_restarts(1.0, 2, multiplier=2, peak_factor=0.5)
        >>> [round(float(rate(count)), 3) for count in range(8)]
        [1.0, 0.5, 0.5, 0.427, 0.25, 0.073, 0.25, 0.24]

    References:
        Loshchilov and Hutter, [SGDR](https://arxiv.org/abs/1608.03983), 2017, eq. 5.
    """
    check_range("initial", initial, low=0.0)
    check_integer("first_steps", first_steps, low=1)
    check_static_integer("multiplier", multiplier, low=1)
    check_range("final", final, low=0.0)
    check_range("peak_factor", peak_factor, above=0.0, high=1.0)
    check_range("final_factor", final_factor, above=0.0, high=1.0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        cycle, done, left = _position(count, first_steps, multiplier)
        peak = jnp.float32(initial) * power(peak_factor, cycle)
        low = jnp.float32(final) * power(final_factor, cycle)
        return cosine_between(peak, low, done, left)

    return schedule


def _position(count: Array, first_steps: int, multiplier: int) -> tuple[Array, Array, Array]:
    """Returns the number of the cycle, and the fractions of it that have passed and remain."""
    first = jnp.asarray(first_steps, count.dtype)
    firsts = jnp.floor_divide(count, first)  # cycle i begins at m^0 + ... + m^(i - 1)
    if multiplier == 1:
        elapsed = jnp.float32(count - firsts * first)
        left = jnp.float32(first - (count - firsts * first))
        return firsts, elapsed / jnp.float32(first), left / jnp.float32(first)
    starts, growths = [0], [1]
    while starts[-1] + growths[-1] <= MAX_INT32:
        starts.append(starts[-1] + growths[-1])
        growths.append(growths[-1] * int(multiplier))
    table = jnp.asarray(starts, count.dtype)
    cycle = jnp.sum(firsts >= table, dtype=jnp.int32) - 1
    elapsed = count - table[cycle] * first
    length = jnp.float32(first) * jnp.asarray(growths, jnp.float32)[cycle]
    left = length - jnp.float32(elapsed)
    if jnp.issubdtype(count.dtype, jnp.integer):
        # As integers, where they fit; a longer cycle is at least twice as long as any count.
        # The bound is a little below 2^32, because `length` is rounded and its integer may not fit.
        growth = jnp.asarray([min(growth, 2**32 - 1) for growth in growths], jnp.uint32)[cycle]
        exact = jnp.uint32(first) * growth - jnp.uint32(elapsed)
        left = jnp.where(length < 4.29e9, jnp.float32(exact), left)
    return cycle, jnp.float32(elapsed) / length, left / length
