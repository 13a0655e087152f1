"""The schedule `torch.optim.lr_scheduler.MultiStepLR`."""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_instance, check_integer, check_range
from jaxtricks._count_powers import power
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule


def multistep_lr(
    initial_rate: ScalarLike, milestones: Sequence[int], gamma: ScalarLike = 0.1
) -> Schedule:
    r"""Returns PyTorch's `MultiStepLR`: each milestone multiplies the learning rate by `gamma`.

    $\alpha_t = \alpha_0 \gamma^k$, where $k$ is the number of milestones that are at most $t$. $t$
    counts epochs, or updates if the schedule is the `lr` of an optimizer: see `step_lr`.

    Args:
        initial_rate: $\alpha_0 \ge 0$, the `lr` of the optimizer; it may be traced.
        milestones: epochs, each at least 0, in any order. A milestone that is listed twice acts
            twice, and a milestone of 0 acts from the first epoch on.
        gamma: $\gamma \ge 0$; above 1 the learning rate grows at each milestone.

    Raises:
        ValueError: an argument is out of range.
        TypeError: `milestones` is not a sequence, or a milestone is not an integer.

    Example:
        >>> rate = multistep_lr(0.1, [2, 4])
        >>> [round(float(rate(epoch)), 4) for epoch in range(6)]
        [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]

    References:
        PyTorch's
        [`MultiStepLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiStepLR.html).
    """
    check_range("initial_rate", initial_rate, low=0.0)
    check_instance("milestones", milestones, Sequence)
    for place, milestone in enumerate(milestones):
        check_integer(f"milestones[{place}]", milestone, low=0)
    check_range("gamma", gamma, low=0.0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        passed = [jnp.int32(count >= jnp.asarray(epoch, count.dtype)) for epoch in milestones]
        return jnp.float32(initial_rate) * power(gamma, sum(passed, jnp.int32(0)))

    return schedule
