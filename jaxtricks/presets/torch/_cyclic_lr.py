"""The schedule `torch.optim.lr_scheduler.CyclicLR`."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_choice, check_function, check_integer, check_range
from jaxtricks._count_powers import power
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule, value_at


def cyclic_lr(
    base_lr: ScalarLike,
    max_lr: ScalarLike,
    step_size_up: int = 2000,
    step_size_down: int | None = None,
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
    gamma: ScalarLike = 1.0,
    scale_fn: Schedule | None = None,
    scale_mode: Literal["cycle", "iterations"] = "cycle",
) -> Schedule:
    r"""Returns PyTorch's `CyclicLR`: straight lines from `base_lr` to `max_lr` and back.

    $\alpha_t = b + (m - b)\, h_t\, s_t$, where $h_t$ goes from 0 to 1 and back in each cycle, and
    $s_t$ is a scale of the height that `mode` or `scale_fn` gives. $t$ counts updates, not epochs.
    PyTorch can also cycle the momentum (`cycle_momentum`); this schedule does not.

    Args:
        base_lr: $b \ge 0$, the lowest learning rate.
        max_lr: $m \ge 0$, the learning rate at the top of the first cycle.
        step_size_up: number of updates from $b$ to $m$, at least 1.
        step_size_down: number of updates from $m$ to $b$, at least 1; None takes `step_size_up`.
        mode: the scale $s_t$: 1 for `"triangular"`, 1 in the first cycle and then halved from cycle
            to cycle for `"triangular2"`, and $\gamma^t$ for `"exp_range"`.
        gamma: $\gamma \ge 0$, for `"exp_range"`.
        scale_fn: a function that gives $s_t \ge 0$, in place of `mode`. Its argument is a JAX
            scalar, as in `lambda_lr`.
        scale_mode: the argument of `scale_fn`: `"cycle"` is the number of the cycle, counted from
            1; `"iterations"` is the number of the update, counted from 0.

    Raises:
        ValueError: an argument is out of range, or `mode` or `scale_mode` is unknown.
        TypeError: a number of updates is not an integer, or `scale_fn` is not a function.

    Example:
        >>> rate = cyclic_lr(0.0, 1.0, step_size_up=2, mode="triangular2")
        >>> [float(rate(count)) for count in range(9)]
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.25, 0.5, 0.25, 0.0]

    References:
        Smith, [Cyclical learning rates](https://arxiv.org/abs/1506.01186), 2017; PyTorch's
        [`CyclicLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CyclicLR.html).
    """
    check_range("base_lr", base_lr, low=0.0)
    check_range("max_lr", max_lr, low=0.0)
    check_integer("step_size_up", step_size_up, low=1)
    step_size_down = step_size_up if step_size_down is None else step_size_down
    check_integer("step_size_down", step_size_down, low=1)
    check_integer("step_size_up + step_size_down", step_size_up + step_size_down)
    check_choice("mode", mode, ("triangular", "triangular2", "exp_range"))
    check_range("gamma", gamma, low=0.0)
    check_choice("scale_mode", scale_mode, ("cycle", "iterations"))
    if scale_fn is not None:
        check_function("scale_fn", scale_fn)

    def scale(count: Array, cycle: Array) -> ScalarLike:
        if scale_fn is not None:
            return value_at(scale_fn, cycle + 1 if scale_mode == "cycle" else count)
        if mode == "triangular2":
            return power(0.5, cycle)
        return power(gamma, count) if mode == "exp_range" else 1.0

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        up, down = (jnp.asarray(steps, count.dtype) for steps in (step_size_up, step_size_down))
        cycle = jnp.floor_divide(count, up + down)
        phase = count - cycle * (up + down)  # as integers: large counts lose no digits
        rises = phase <= up
        length = jnp.float32(jnp.where(rises, up, down))
        high = jnp.float32(jnp.where(rises, phase, up + down - phase)) / length
        low = jnp.float32(jnp.where(rises, up - phase, phase - up)) / length
        base, height = jnp.float32(base_lr), jnp.float32(scale(count, cycle))
        return base * low + high * (base * (1 - height) + jnp.float32(max_lr) * height)

    return schedule
