"""Linear warmup: a straight line up to the peak."""

from typing import Literal

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaxtricks._checks import check_choice, check_integer, check_range
from jaxtricks._counted import counted
from jaxtricks._progress import progress
from jaxtricks._types import ScalarLike
from jaxtricks.schedules._schedule import Schedule


def linear_warmup(
    peak: ScalarLike, warmup_steps: int, *, start: Literal["first_step", "zero"] = "first_step"
) -> Schedule:
    r"""Raises the learning rate by equal amounts at every update up to `peak`, and keeps it there.

    The learning rate is $\alpha_0 t / n$ for $t \le n$, and $\alpha_0$ after that. `start` says
    whether $t$ is 1 or 0 at the first update; the two schedules are one update apart.

    Args:
        peak: $\alpha_0$, the learning rate after the warmup, at least 0.
        warmup_steps: $n \ge 0$, the number of updates; with 0 the learning rate is always `peak`.
        start: "first_step": $t$ = count + 1, so the first learning rate is $\alpha_0 / n$, and
            count $n - 1$ has the peak. "zero": $t$ = count, so the first learning rate is 0,
            and count $n$ has the peak.

    Raises:
        ValueError: `peak` is negative or not finite, `warmup_steps` is negative, or `start` is
            unknown.
        TypeError: `warmup_steps` is not an integer.

    Example:
        >>> [float(linear_warmup(1.0, 4)(count)) for count in range(5)]
        [0.25, 0.5, 0.75, 1.0, 1.0]
        >>> [float(linear_warmup(1.0, 4, start="zero")(count)) for count in range(5)]
        [0.0, 0.25, 0.5, 0.75, 1.0]

    References:
        Goyal et al., [Accurate, large minibatch SGD](https://arxiv.org/abs/1706.02677), 2017,
        section 2.2.
    """
    check_range("peak", peak, low=0.0)
    check_integer("warmup_steps", warmup_steps, low=0)
    check_choice("start", start, ("first_step", "zero"))

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        time = optax.safe_increment(count) if start == "first_step" else count
        done, _ = progress(time, warmup_steps)
        return jnp.float32(peak) * done

    return schedule
