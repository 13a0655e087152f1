"""The schedule `torch.optim.lr_scheduler.ConstantLR`."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_integer, check_range
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule


def constant_lr(
    initial_rate: ScalarLike, factor: ScalarLike = 1.0 / 3, total_iters: int = 5
) -> Schedule:
    r"""Returns PyTorch's `ConstantLR`: multiplies by `factor` in the first `total_iters` epochs.

    $\alpha_t = \alpha_0 f$ for $t < T$, and $\alpha_t = \alpha_0$ afterwards. $t$ counts epochs, or
    updates if the schedule is the `lr` of an optimizer: see `step_lr`.

    Args:
        initial_rate: $\alpha_0 \ge 0$, the `lr` of the optimizer; it may be traced.
        factor: $f$, in `(0, 1]`. PyTorch accepts 0, and then divides by it.
        total_iters: $T \ge 0$, in epochs; with 0 the factor always applies, as in PyTorch.

    Raises:
        ValueError: an argument is out of range.
        TypeError: `total_iters` is not an integer.

    Example:
        >>> rate = constant_lr(1.0, factor=0.5, total_iters=2)
        >>> [float(rate(epoch)) for epoch in range(4)]
        [0.5, 0.5, 1.0, 1.0]

    References:
        PyTorch's
        [`ConstantLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ConstantLR.html).
    """
    check_range("initial_rate", initial_rate, low=0.0)
    check_range("factor", factor, above=0.0, high=1.0)
    check_integer("total_iters", total_iters, low=0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        end = jnp.asarray(total_iters, count.dtype)
        scaled = (count < end) | (end == 0)
        return jnp.float32(initial_rate) * jnp.where(scaled, jnp.float32(factor), 1)

    return schedule
