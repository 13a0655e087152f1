"""The schedule `torch.optim.lr_scheduler.ExponentialLR`."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_range
from jaxtricks._count_powers import power
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule


def exponential_lr(initial_rate: ScalarLike, gamma: ScalarLike) -> Schedule:
    r"""Returns the schedule of PyTorch's `ExponentialLR`, $\alpha_t = \alpha_0 \gamma^t$.

    $t$ counts epochs, or updates if the schedule is the `lr` of an optimizer: see `step_lr`.
    `jaxtricks.schedules.exponential_decay` is $\alpha_0 e^{-k t}$, so that $\gamma = e^{-k}$.

    Args:
        initial_rate: $\alpha_0 \ge 0$, the `lr` of the optimizer; it may be traced.
        gamma: $\gamma \ge 0$; above 1 the learning rate grows without bound.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> rate = exponential_lr(1.0, 0.5)
        >>> [float(rate(epoch)) for epoch in range(4)]
        [1.0, 0.5, 0.25, 0.125]

    References:
        PyTorch's
        [`ExponentialLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ExponentialLR.html).
    """
    check_range("initial_rate", initial_rate, low=0.0)
    check_range("gamma", gamma, low=0.0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        return jnp.float32(initial_rate) * power(gamma, count)

    return schedule
