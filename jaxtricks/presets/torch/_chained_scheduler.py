"""The schedule `torch.optim.lr_scheduler.ChainedScheduler`."""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_function, check_instance, check_range
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule, value_at


def chained_scheduler(initial_rate: ScalarLike, schedulers: Sequence[Schedule]) -> Schedule:
    r"""Returns PyTorch's `ChainedScheduler`: the initial learning rate times several schedules.

    $\alpha_t = \alpha_0 \prod_i s_i(t)$. In PyTorch the schedulers change the learning rate one
    after the other. The result is this product for those that multiply it: `constant_lr`,
    `linear_lr`, `step_lr`, `multistep_lr`, `exponential_lr`, `multiplicative_lr`, and
    `polynomial_lr` until its end. Other schedulers overwrite the learning rate (`LambdaLR`,
    `CyclicLR`, `OneCycleLR`) or add to it (the cosine schedulers), so that PyTorch's result depends
    on their order; this function does not reproduce that. $t$ counts epochs, or updates if the
    schedule is the `lr` of an optimizer: see `step_lr`.

    Args:
        initial_rate: $\alpha_0 \ge 0$, the `lr` of the optimizer; it may be traced.
        schedulers: $s_0, s_1, \dots$, one schedule or more, each made with an `initial_rate` of 1.

    Raises:
        ValueError: `initial_rate` is out of range, or there is no schedule.
        TypeError: a schedule is not a function from a count to a number.

    Example:
        >>> from jaxtricks.presets.torch import constant_lr, exponential_lr
        >>> warmup = constant_lr(1.0, factor=0.5, total_iters=2)
        >>> rate = chained_scheduler(8.0, [warmup, exponential_lr(1.0, 0.5)])
        >>> [float(rate(epoch)) for epoch in range(5)]
        [4.0, 2.0, 2.0, 1.0, 0.5]

    References:
        PyTorch's
        [`ChainedScheduler`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ChainedScheduler.html).
    """
    check_range("initial_rate", initial_rate, low=0.0)
    check_instance("schedulers", schedulers, Sequence)
    if not schedulers:
        raise ValueError("schedulers must hold at least one schedule, got none.")
    for place, scheduler in enumerate(schedulers):
        check_function(f"schedulers[{place}]", scheduler)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        rate = jnp.float32(initial_rate)
        for scheduler in schedulers:
            rate = rate * jnp.float32(value_at(scheduler, count))
        return rate

    return schedule
