"""The schedule `torch.optim.lr_scheduler.MultiplicativeLR`."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxtricks._check_static import check_static_integer
from jaxtricks._checks import check_function, check_range
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule


def multiplicative_lr(
    initial_rate: ScalarLike, lr_lambda: Callable[[int], ScalarLike], *, total_iters: int
) -> Schedule:
    r"""Returns PyTorch's `MultiplicativeLR`: each epoch multiplies the learning rate by a factor.

    $\alpha_t = \alpha_0 \prod_{i=1}^{\min(t, T)} \lambda(i)$. The products have no closed form, so
    they are computed once, in float64, up to the last epoch $T$, and stored in a table. PyTorch has
    no argument for $T$. $t$ counts epochs, or updates if the schedule is the `lr` of an optimizer:
    see `step_lr`.

    Args:
        initial_rate: $\alpha_0 \ge 0$, the `lr` of the optimizer; it may be traced.
        lr_lambda: $\lambda$, a function that is called with each of the integers 1 to $T$ and
            returns a real scalar, at least 0. As in PyTorch, epoch 0 has no factor.
        total_iters: $T \ge 1$, the number of epochs in the table, which takes 4 bytes each. From
            $T$ on the learning rate is constant.

    Raises:
        ValueError: an argument or a factor is out of range.
        TypeError: `lr_lambda` is not a function, a factor is not a real scalar, or `total_iters`
            is not an integer or is traced.

    Example:
        >>> rate = multiplicative_lr(1.0, lambda epoch: 1 / epoch, total_iters=4)
        >>> [round(float(rate(epoch)), 4) for epoch in range(6)]
        [1.0, 1.0, 0.5, 0.1667, 0.0417, 0.0417]

    References:
        PyTorch's
        [`MultiplicativeLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiplicativeLR.html).
    """
    check_range("initial_rate", initial_rate, low=0.0)
    check_function("lr_lambda", lr_lambda)
    check_static_integer("total_iters", total_iters, low=1)
    factors = [lr_lambda(epoch) for epoch in range(1, total_iters + 1)]
    for epoch, factor in enumerate(factors, start=1):
        check_range(f"lr_lambda({epoch})", factor, low=0.0)
    table = _products(factors)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        epoch = jnp.int32(jnp.minimum(count, jnp.asarray(total_iters, count.dtype)))
        return jnp.float32(initial_rate) * jnp.asarray(table, jnp.float32)[epoch]

    return schedule


def _products(factors: list[ScalarLike]) -> np.ndarray | Array:
    """Returns the products of the first 0, 1, 2, ... factors, in float64 if none is traced."""
    if any(isinstance(factor, jax.core.Tracer) for factor in factors):
        return jnp.cumprod(jnp.stack([jnp.float32(factor) for factor in (1, *factors)]))
    return np.cumprod([1.0, *map(float, factors)])
