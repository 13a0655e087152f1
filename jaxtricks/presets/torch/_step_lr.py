"""The schedule `torch.optim.lr_scheduler.StepLR`."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_integer, check_range
from jaxtricks._count_powers import power
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule


def step_lr(initial_rate: ScalarLike, step_size: int, gamma: ScalarLike = 0.1) -> Schedule:
    r"""Returns PyTorch's `StepLR`, $\alpha_t = \alpha_0 \gamma^{\lfloor t / N \rfloor}$.

    As in all schedules here, $t = 0$ is the epoch before the first `scheduler.step()` of PyTorch.
    If the schedule is the `lr` of an optimizer, $t$ counts updates instead of epochs; then multiply
    `step_size` by the number of updates per epoch.

    Args:
        initial_rate: $\alpha_0 \ge 0$, the `lr` of the optimizer; it may be traced.
        step_size: $N \ge 1$, in epochs.
        gamma: $\gamma \ge 0$; above 1 the learning rate grows without bound.

    Raises:
        ValueError: an argument is out of range.
        TypeError: `step_size` is not an integer.

    Example:
        >>> rate = step_lr(0.05, step_size=30)
        >>> [round(float(rate(epoch)), 6) for epoch in (0, 29, 30, 59, 60, 89)]
        [0.05, 0.05, 0.005, 0.005, 0.0005, 0.0005]

    References:
        PyTorch's
        [`StepLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html).
    """
    check_range("initial_rate", initial_rate, low=0.0)
    check_integer("step_size", step_size, low=1)
    check_range("gamma", gamma, low=0.0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        cuts = jnp.floor_divide(count, jnp.asarray(step_size, count.dtype))
        return jnp.float32(initial_rate) * power(gamma, cuts)

    return schedule
