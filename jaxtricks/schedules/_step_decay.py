"""Step decay: a cut by a constant factor at regular intervals."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_integer, check_range
from jaxtricks._count_powers import power
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules._schedule import Schedule


def step_decay(
    initial: ScalarLike,
    every_steps: int,
    *,
    factor: ScalarLike = 0.1,
    final: ScalarLike = 0.0,
) -> Schedule:
    r"""Multiplies the learning rate by `factor` after every `every_steps` updates.

    $\alpha_t = \alpha_0 \gamma^{\lfloor t / N \rfloor}$, but not below `final`. The division of an
    integer count is an integer division, so each cut happens at its exact update.

    This is PyTorch's `StepLR(step_size=N, gamma)` with `scheduler.step()` called *after* each
    epoch. Code written for PyTorch before 1.1 calls it *before* each epoch. Later versions of
    PyTorch then cut one epoch early, at 29, 59 and 89 instead of 30, 60 and 90. With `rate` the
    result of `step_decay`, that early schedule is `lambda count: rate(count + steps_per_epoch)`.

    Args:
        initial: $\alpha_0$, the learning rate of the first `every_steps` updates, at least 0.
        every_steps: $N \ge 1$, the number of updates between two cuts.
        factor: $\gamma$, in `(0, 1]`; "divide by 10" is 0.1, and 1 changes nothing.
        final: the lowest learning rate, at least 0.

    Raises:
        ValueError: a learning rate is negative or not finite, `factor` is outside `(0, 1]`, or
            `every_steps` is less than 1.
        TypeError: `every_steps` is not an integer.

    Example:
        >>> rate = step_decay(0.05, 30, factor=0.1)
        >>> [round(float(rate(epoch)), 6) for epoch in (0, 29, 30, 59, 60, 89)]
        [0.05, 0.05, 0.005, 0.005, 0.0005, 0.0005]

    References:
        PyTorch's
        [`StepLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html).
    """
    check_range("initial", initial, low=0.0)
    check_integer("every_steps", every_steps, low=1)
    check_range("factor", factor, above=0.0, high=1.0)
    check_range("final", final, low=0.0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        cuts = jnp.floor_divide(count, jnp.asarray(every_steps, count.dtype))
        return jnp.maximum(jnp.float32(initial) * power(factor, cuts), jnp.float32(final))

    return schedule
