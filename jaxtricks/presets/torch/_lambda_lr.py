"""`torch.optim.lr_scheduler.LambdaLR`."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_function, check_range
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule, value_at


def lambda_lr(initial_rate: ScalarLike, lr_lambda: Schedule) -> Schedule:
    r"""`LambdaLR`: $\alpha_t = \alpha_0 \lambda(t)$ with a function of one's own.

    A list of functions, which PyTorch takes for several parameter groups, has its counterpart in
    one optimizer for each group, put together by `optax.partition`.

    Args:
        initial_rate: $\alpha_0 \ge 0$, the optimizer's `lr`.
        lr_lambda: $\lambda$, a function of the epoch that gives a real scalar. Its argument is a
            JAX scalar, traced under `jit`: no Python `if` or `int` on it.

    Raises:
        ValueError: `initial_rate` is out of range.
        TypeError: `lr_lambda` is not a function; when the schedule is called, what it gives is no
            real scalar.

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
