"""The schedule `keras.optimizers.schedules.ExponentialDecay`."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_flag, check_integer, check_range
from jaxtricks._count_powers import power
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule


def exponential_decay(
    initial_learning_rate: ScalarLike,
    decay_steps: int,
    decay_rate: ScalarLike,
    staircase: bool = False,
) -> Schedule:
    r"""Returns the schedule of Keras's `ExponentialDecay`, $\alpha_t = \alpha_0 r^{t / N}$.

    Args:
        initial_learning_rate: $\alpha_0 \ge 0$.
        decay_steps: $N \ge 1$, the number of updates that multiply the learning rate by $r$.
        decay_rate: $r \ge 0$; above 1 the learning rate grows without bound.
        staircase: whether to round the exponent down, so that the learning rate falls in steps.

    Raises:
        ValueError: an argument is out of range.
        TypeError: `decay_steps` is not an integer, or `staircase` is not a bool.

    Example:
        >>> rate = exponential_decay(1.0, 2, 0.25)
        >>> [float(rate(count)) for count in range(5)]
        [1.0, 0.5, 0.25, 0.125, 0.0625]
        >>> rate = exponential_decay(1.0, 2, 0.25, staircase=True)
        >>> [float(rate(count)) for count in range(5)]
        [1.0, 1.0, 0.25, 0.25, 0.0625]

    References:
        Keras's
        [`ExponentialDecay`](https://keras.io/api/optimizers/learning_rate_schedules/exponential_decay/).
    """
    check_range("initial_learning_rate", initial_learning_rate, low=0.0)
    check_integer("decay_steps", decay_steps, low=1)
    check_range("decay_rate", decay_rate, low=0.0)
    check_flag("staircase", staircase)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        length = jnp.asarray(decay_steps, count.dtype)
        times = jnp.floor_divide(count, length)
        rate = jnp.float32(initial_learning_rate) * power(decay_rate, times)
        if staircase:
            return rate
        part = jnp.float32(count - times * length) / jnp.float32(length)
        return rate * jnp.power(jnp.float32(decay_rate), part)

    return schedule
