"""Joining schedules end to end."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._check_increasing import check_increasing
from jaxtricks._checks import check_instance
from jaxtricks._counted import counted
from jaxtricks.schedules._schedule import Schedule, value_at


def join(schedules: Sequence[Schedule], boundaries: Sequence[int]) -> Schedule:
    r"""Follows several schedules one after another; each counts from its own start.

    $\alpha_t = s_i(t - b_i)$ for $b_i \le t < b_{i+1}$, with $b_0 = 0$, as in
    `optax.join_schedules`. The learning rate may jump at a boundary. For a warmup that ends where
    the next schedule begins, see `with_warmup`.

    Args:
        schedules: $s_0, s_1, \dots$, at least one.
        boundaries: $b_1 < b_2 < \dots$, integers of at least 0, one fewer than the schedules.
            Update number $b_i$, counted from 0, is the first that uses $s_i$. With $b_1 = 0$ the
            first schedule has no updates.

    Raises:
        ValueError: the number of boundaries does not fit, or `boundaries` is unsorted or holds a
            negative number.
        TypeError: a boundary is not an integer, or a schedule is not a function of a count that
            returns a number.

    Example:
        >>> from jaxtricks.schedules import constant, linear_decay
        >>> rate = join((constant(0.5), linear_decay(1.0, 4)), (2,))
        >>> [float(rate(count)) for count in range(7)]
        [0.5, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0]
    """
    check_increasing("boundaries", boundaries, low=0, empty=True)
    check_instance("schedules", schedules, Sequence)
    for place, schedule in enumerate(schedules):
        check_instance(f"schedules[{place}]", schedule, Callable)
    if len(schedules) != len(boundaries) + 1:
        raise ValueError(
            f"boundaries must be one fewer than the {len(schedules)} schedules, got {boundaries}."
        )

    @counted
    def joined(count: Array) -> Float[Array, ""]:
        value = jnp.float32(value_at(schedules[0], count))
        for schedule, boundary in zip(schedules[1:], boundaries, strict=True):
            start = jnp.asarray(boundary, count.dtype)
            # before its start a schedule gets the count 0, because it may refuse a negative count
            own = jnp.float32(value_at(schedule, jnp.maximum(count, start) - start))
            value = jnp.where(count < start, value, own)
        return value

    return joined
