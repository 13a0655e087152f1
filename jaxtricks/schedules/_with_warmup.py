"""Putting a warmup before any schedule."""

from collections.abc import Callable
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_instance
from jaxtricks._counted import counted
from jaxtricks.schedules._linear_warmup import linear_warmup
from jaxtricks.schedules._schedule import Schedule, value_at


def with_warmup(
    schedule: Schedule, warmup_steps: int, *, start: Literal["first_step", "zero"] = "first_step"
) -> Schedule:
    r"""Raises the learning rate linearly to `schedule(0)`, then follows `schedule` from its start.

    $\alpha_t = s(0)\, w_t$ for $t < n$, then $s(t - n)$, where $w$ is `linear_warmup` with the peak
    1. There is no jump at $t = n$, and no part of `schedule` is skipped. If the total number of
    updates includes the warmup, write
    `with_warmup(cosine_decay(peak, total - warmup), warmup)`.

    Args:
        schedule: $s$, whose first value is the peak.
        warmup_steps: $n \ge 0$; with 0 the values are those of `schedule` alone.
        start: whether the first learning rate is $s(0) / n$ ("first_step") or 0 ("zero"); see
            `linear_warmup`.

    Raises:
        ValueError: `warmup_steps` is negative, or `start` is unknown.
        TypeError: `schedule` is not a function, or `warmup_steps` is not an integer.

    Example:
        >>> from jaxtricks.schedules import linear_decay
        >>> rate = with_warmup(linear_decay(1.0, 4), 2, start="zero")
        >>> [float(rate(count)) for count in range(7)]
        [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0]

    References:
        Goyal et al., [Accurate, large minibatch SGD](https://arxiv.org/abs/1706.02677), 2017,
        section 2.2. In the code of BERT, the decay starts at the first update and not at the end of
        the warmup, so at that end the learning rate drops from its peak.
    """
    check_instance("schedule", schedule, Callable)
    ramp = linear_warmup(1.0, warmup_steps, start=start)

    @counted
    def warmed(count: Array) -> Float[Array, ""]:
        length = jnp.asarray(warmup_steps, count.dtype)
        own = value_at(schedule, jnp.maximum(count, length) - length)
        return ramp(count) * jnp.float32(own)

    return warmed
