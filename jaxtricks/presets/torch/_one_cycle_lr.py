"""The schedule `torch.optim.lr_scheduler.OneCycleLR`."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxtricks._check_static import check_static_integer
from jaxtricks._checks import check_choice, check_flag, check_integer, check_range
from jaxtricks._counted import counted
from jaxtricks._progress import cosine_between
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule


def one_cycle_lr(
    max_lr: ScalarLike,
    total_steps: int | None = None,
    epochs: int | None = None,
    steps_per_epoch: int | None = None,
    pct_start: ScalarLike = 0.3,
    anneal_strategy: Literal["cos", "linear"] = "cos",
    div_factor: ScalarLike = 25.0,
    final_div_factor: ScalarLike = 1e4,
    three_phase: bool = False,
) -> Schedule:
    r"""Returns PyTorch's `OneCycleLR`: rises to `max_lr`, then falls far below the initial value.

    The learning rate goes from $\alpha_0 = m / d$ at count 0 to $m$ at count $p T - 1$, and from
    there to $\alpha_0 / d'$ at count $T - 1$, the last update. With `three_phase` it first falls to
    $\alpha_0$, at count $2 p T - 2$. The count is that of updates, not of epochs. After the last
    update the learning rate is constant, while PyTorch raises an error. PyTorch can also cycle the
    momentum (`cycle_momentum`); this schedule does not.

    Args:
        max_lr: $m \ge 0$, the highest learning rate.
        total_steps: $T \ge 1$, the number of updates; None takes `epochs * steps_per_epoch`.
        epochs: number of epochs, at least 1; used if `total_steps` is None.
        steps_per_epoch: number of updates per epoch, at least 1; used if `total_steps` is None.
        pct_start: $p$, the share of the updates in which the learning rate rises, in `[0, 1]`.
        anneal_strategy: `"cos"` for half a cosine wave in each phase, `"linear"` for a line.
        div_factor: $d > 0$, `max_lr` divided by the initial learning rate.
        final_div_factor: $d' > 0$, the initial learning rate divided by the last.
        three_phase: whether the fall from $\alpha_0$ to $\alpha_0 / d'$ is a third phase.

    Raises:
        ValueError: an argument is out of range, `anneal_strategy` is unknown, or neither
            `total_steps` nor both `epochs` and `steps_per_epoch` are given.
        TypeError: `total_steps`, `epochs` or `steps_per_epoch` is not an integer or is traced, or
            `three_phase` is not a bool.

    Example:
        >>> rate = one_cycle_lr(1.0, 11, pct_start=0.5, anneal_strategy="linear", div_factor=10.0)
        >>> [round(float(rate(count)), 3) for count in range(12)]
        [0.1, 0.3, 0.5, 0.7, 0.9, 0.909, 0.727, 0.545, 0.364, 0.182, 0.0, 0.0]

    References:
        Smith and Topin, [Super-convergence](https://arxiv.org/abs/1708.07120), 2018; PyTorch's
        [`OneCycleLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html).
    """
    check_range("max_lr", max_lr, low=0.0)
    check_range("pct_start", pct_start, low=0.0, high=1.0)
    check_range("div_factor", div_factor, above=0.0)
    check_range("final_div_factor", final_div_factor, above=0.0)
    check_choice("anneal_strategy", anneal_strategy, ("cos", "linear"))
    check_flag("three_phase", three_phase)
    total = _total(total_steps, epochs, steps_per_epoch)

    rises, falls = _place(pct_start, total, 1), _place(pct_start, total, 2)
    inner_ends = [rises, falls] if three_phase else [rises]
    places = [_at(0), *inner_ends, _at(total - 1)]

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        count = jnp.minimum(count, jnp.asarray(total - 1, count.dtype))
        first = jnp.float32(max_lr) / jnp.float32(div_factor)
        back = [first] if three_phase else []
        rates = [first, jnp.float32(max_lr), *back, first / jnp.float32(final_div_factor)]
        rate = first
        for number in range(len(places) - 1):
            done, left = -_until(places[number], count), _until(places[number + 1], count)
            value = _between(rates[number], rates[number + 1], done, left, anneal_strategy)
            rate = jnp.where(done > 0, value, rate) if number else value
        return rate

    return schedule


MAX_EXACT = 2**31 - 128  # the largest int32 that float32 holds exactly
Place = tuple[ScalarLike, ScalarLike]  # a count, as its whole part and its fraction


def _total(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    given = {"total_steps": total_steps, "epochs": epochs, "steps_per_epoch": steps_per_epoch}
    for name, value in given.items():
        if value is not None:
            check_static_integer(name, value, low=1)
    if total_steps is not None:
        return total_steps
    if epochs is None or steps_per_epoch is None:
        raise ValueError("total_steps must be given, or both epochs and steps_per_epoch, got None.")
    check_integer("epochs * steps_per_epoch", epochs * steps_per_epoch)
    return epochs * steps_per_epoch


def _at(count: int) -> Place:
    return np.int32(count), np.float32(0)


def _place(pct_start: ScalarLike, total: int, times: int) -> Place:
    """Returns the count at which phase `times` (1 or 2) ends, in float64 if it is not traced."""
    if isinstance(pct_start, jax.core.Tracer):
        end = times * (jnp.float32(pct_start) * total - 1)
        floor = jax.lax.stop_gradient(jnp.floor(end))
        return jnp.int32(jnp.minimum(floor, MAX_EXACT)), end - floor
    end = float(times * float(pct_start) * total) - times
    return np.int32(np.floor(end)), np.float32(end - np.floor(end))


def _until(place: Place, count: Array) -> Float[Array, ""]:
    """Returns the updates from `count` to a place, subtracting integers to lose no digits."""
    return jnp.float32(jnp.asarray(place[0], count.dtype) - count) + jnp.float32(place[1])


def _between(
    start: ScalarLike, end: ScalarLike, done: Array, left: Array, strategy: str
) -> Float[Array, ""]:
    """Returns the learning rate in a phase; a phase of length 0 is at its end."""
    length = done + left
    safe = jnp.where(length > 0, length, 1)
    over, ahead = jnp.where(length > 0, done, 1) / safe, jnp.where(length > 0, left, 0) / safe
    if strategy == "cos":
        return cosine_between(start, end, over, ahead)
    return jnp.float32(start) * ahead + jnp.float32(end) * over
