"""Cosine decay with warm restarts."""

import operator

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxtricks._checks import check_integer, check_length, check_range
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules._schedule import Schedule

_LAST_COUNT = 2**31 - 1


def cosine_restarts(
    initial: ScalarLike,
    first_steps: int,
    *,
    multiplier: int = 1,
    final: ScalarLike = 0.0,
    peak_factor: ScalarLike = 1.0,
    final_factor: ScalarLike = 1.0,
) -> Schedule:
    r"""Falls along half a cosine wave in each cycle, and jumps back to the top at the next.

    In cycle $i$, $T_i = T_0 m^i$ updates long and $T_\mathrm{cur}$ updates old, $\eta_t =
    \eta_{\min}^i + \frac12 (\eta_{\max}^i - \eta_{\min}^i) (1 + \cos(\pi T_\mathrm{cur} / T_i))$.
    Restarts fall on exact steps, up to the largest int32, because they are computed as integers. A
    count may be a fraction, for example of an epoch, as in the paper. The last update of a cycle is
    one step short of $\eta_{\min}^i$.

    Args:
        initial: $\eta_{\max}^0$, at least 0.
        first_steps: $T_0 \ge 1$, the first cycle's length.
        multiplier: $m \ge 1$, an integer: how many times longer each cycle is than the last.
        final: $\eta_{\min}^0$, at least 0.
        peak_factor: $\eta_{\max}^{i+1} / \eta_{\max}^i$, in `(0, 1]`.
        final_factor: $\eta_{\min}^{i+1} / \eta_{\min}^i$, in `(0, 1]`.

    Raises:
        ValueError: a rate is negative or not finite, a factor is outside `(0, 1]`, or
            `first_steps` or `multiplier` is under 1.
        TypeError: `first_steps` or `multiplier` is not an integer.

    Example:
        >>> rate = cosine_restarts(1.0, 2, multiplier=2, peak_factor=0.5)
        >>> [round(float(rate(count)), 3) for count in range(8)]
        [1.0, 0.5, 0.5, 0.427, 0.25, 0.073, 0.25, 0.24]

    References:
        Loshchilov and Hutter, [SGDR](https://arxiv.org/abs/1608.03983), 2017, eq. 5.
    """
    check_range("initial", initial, low=0.0)
    check_length("first_steps", first_steps, low=1)
    check_integer("multiplier", multiplier, low=1)
    check_range("final", final, low=0.0)
    check_range("peak_factor", peak_factor, above=0.0, high=1.0)
    check_range("final_factor", final_factor, above=0.0, high=1.0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        cycle, progress = _position(count, first_steps, multiplier)
        peak = initial * jnp.power(peak_factor, cycle)
        low = final * jnp.power(final_factor, cycle)
        return low + 0.5 * (peak - low) * (1 + jnp.cos(jnp.pi * progress))

    return schedule


def _position(
    count: Array, first_steps: int, multiplier: int
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Returns the number of the cycle, and how much of it is over, in `[0, 1)`."""
    if multiplier == 1:
        cycle = jnp.floor_divide(count, first_steps)
        return cycle.astype(jnp.float32), jnp.remainder(count, first_steps) / first_steps
    starts, lengths = [0], [operator.index(first_steps)]  # short integers would wrap around
    while starts[-1] + lengths[-1] <= _LAST_COUNT:
        starts.append(starts[-1] + lengths[-1])
        lengths.append(lengths[-1] * operator.index(multiplier))
    table = jnp.asarray(starts, jnp.int32)
    cycle = jnp.sum(count >= table) - 1
    length = jnp.asarray(np.asarray(lengths, np.float32))[cycle]
    return cycle.astype(jnp.float32), (count - table[cycle]) / length
