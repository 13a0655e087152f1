"""The schedule `torch.optim.lr_scheduler.PolynomialLR`."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_integer, check_range
from jaxtricks._counted import counted
from jaxtricks._progress import progress
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule


def polynomial_lr(
    initial_rate: ScalarLike, total_iters: int = 5, power: ScalarLike = 1.0
) -> Schedule:
    r"""Returns PyTorch's `PolynomialLR`, $\alpha_t = \alpha_0 (1 - \min(t, T) / T)^p$.

    $t$ counts epochs, or updates if the schedule is the `lr` of an optimizer: see `step_lr`.

    Args:
        initial_rate: $\alpha_0 \ge 0$, the `lr` of the optimizer; it may be traced.
        total_iters: $T \ge 0$, the number of epochs until the learning rate is 0. With 0 it stays
            constant, as in PyTorch.
        power: $p \ge 0$; 1 is a straight line, as in BERT.

    Raises:
        ValueError: an argument is out of range.
        TypeError: `total_iters` is not an integer.

    Example:
        >>> rate = polynomial_lr(1.0, total_iters=4, power=2.0)
        >>> [float(rate(epoch)) for epoch in range(6)]
        [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]

    References:
        PyTorch's
        [`PolynomialLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.PolynomialLR.html).
    """
    check_range("initial_rate", initial_rate, low=0.0)
    check_integer("total_iters", total_iters, low=0)
    check_range("power", power, low=0.0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        _, left = progress(count, total_iters)
        base = jnp.where(jnp.asarray(total_iters) > 0, left, 1)
        return jnp.float32(initial_rate) * jnp.power(base, jnp.float32(power))

    return schedule
