"""The schedule `torch.optim.lr_scheduler.LambdaLR`."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_function, check_range
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule, value_at


def lambda_lr(initial_rate: ScalarLike, lr_lambda: Schedule) -> Schedule:
    r"""Returns PyTorch's `LambdaLR`, $\alpha_t = \alpha_0 \lambda(t)$ with a given function.

    $t$ counts epochs, or updates if the schedule is the `lr` of an optimizer: see `step_lr`.
    PyTorch also takes a list of functions, one for each parameter group. In place of that, make an
    optimizer for each group and combine them with `optax.partition`.

    Args:
        initial_rate: $\alpha_0 \ge 0$, the `lr` of the optimizer; it may be traced.
        lr_lambda: $\lambda$, a function from the epoch to a real scalar. Its argument is a JAX
            scalar, which `jit` traces, so it must not use Python's `if` or `int` on it.

    Raises:
        ValueError: `initial_rate` is out of range.
        TypeError: `lr_lambda` is not a function; when the schedule is called, `lr_lambda` does not
            return a real scalar.

    Example:
        >>> rate = lambda_lr(1.0, lambda epoch: 0.5**epoch)
        >>> [float(rate(epoch)) for epoch in range(4)]
        [1.0, 0.5, 0.25, 0.125]

    References:
        PyTorch's
        [`LambdaLR`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LambdaLR.html).
    """
    check_range("initial_rate", initial_rate, low=0.0)
    check_function("lr_lambda", lr_lambda)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        return jnp.float32(initial_rate) * jnp.float32(value_at(lr_lambda, count))

    return schedule
