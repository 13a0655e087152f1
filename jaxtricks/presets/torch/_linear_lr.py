"""The schedule `torch.optim.lr_scheduler.LinearLR`."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_integer, check_range
from jaxtricks._counted import counted
from jaxtricks._progress import progress
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule


def linear_lr(
    initial_rate: ScalarLike,
    start_factor: ScalarLike = 1.0 / 3,
    end_factor: ScalarLike = 1.0,
    total_iters: int = 5,
) -> Schedule:
    r"""Returns PyTorch's `LinearLR`: a factor goes linearly from `start_factor` to `end_factor`.

    $\alpha_t = \alpha_0 (s + (e - s) \min(t, T) / T)$. The defaults give a warmup of 5 epochs that
    begins at a third of the learning rate. $t$ counts epochs, or updates if the schedule is the
    `lr` of an optimizer: see `step_lr`.

    Args:
        initial_rate: $\alpha_0 \ge 0$, the `lr` of the optimizer; it may be traced.
        start_factor: $s$, the factor at epoch 0, in `(0, 1]`.
        end_factor: $e$, the factor from epoch $T$ on, in `[0, 1]`.
        total_iters: $T \ge 0$, in epochs; with 0 the factor stays `start_factor`, as in PyTorch.

    Raises:
        ValueError: an argument is out of range.
        TypeError: `total_iters` is not an integer.

    Example:
        >>> rate = linear_lr(1.0, start_factor=0.5, total_iters=4)
        >>> [float(rate(epoch)) for epoch in range(6)]
        [0.5, 0.625, 0.75, 0.875, 1.0, 1.0]

    References:
        PyTorch's
        [`LinearLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LinearLR.html).
    """
    check_range("initial_rate", initial_rate, low=0.0)
    check_range("start_factor", start_factor, above=0.0, high=1.0)
    check_range("end_factor", end_factor, low=0.0, high=1.0)
    check_integer("total_iters", total_iters, low=0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        done, left = progress(count, total_iters)
        start, end = jnp.float32(start_factor), jnp.float32(end_factor)
        factor = jnp.where(jnp.asarray(total_iters) > 0, start * left + end * done, start)
        return jnp.float32(initial_rate) * factor

    return schedule
