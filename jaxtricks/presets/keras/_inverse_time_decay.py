"""The schedule `keras.optimizers.schedules.InverseTimeDecay`."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_flag, check_integer, check_range
from jaxtricks._counted import counted
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule


def inverse_time_decay(
    initial_learning_rate: ScalarLike,
    decay_steps: int,
    decay_rate: ScalarLike,
    staircase: bool = False,
) -> Schedule:
    r"""Returns the schedule of Keras's `InverseTimeDecay`, $\alpha_t = \alpha_0 / (1 + r t / N)$.

    Args:
        initial_learning_rate: $\alpha_0 \ge 0$.
        decay_steps: $N \ge 1$, the number of updates in which the divisor grows by $r$.
        decay_rate: $r \ge 0$.
        staircase: whether to round $t / N$ down, so that the learning rate falls in steps.

    Raises:
        ValueError: an argument is out of range.
        TypeError: `decay_steps` is not an integer, or `staircase` is not a bool.

    Example:
        >>> rate = inverse_time_decay(1.0, 2, 1.0)
        >>> [round(float(rate(count)), 3) for count in range(5)]
        [1.0, 0.667, 0.5, 0.4, 0.333]
        >>> rate = inverse_time_decay(1.0, 2, 1.0, staircase=True)
        >>> [round(float(rate(count)), 3) for count in range(5)]
        [1.0, 1.0, 0.5, 0.5, 0.333]

    References:
        Keras's
        [`InverseTimeDecay`](https://keras.io/api/optimizers/learning_rate_schedules/inverse_time_decay/).
    """
    check_range("initial_learning_rate", initial_learning_rate, low=0.0)
    check_integer("decay_steps", decay_steps, low=1)
    check_range("decay_rate", decay_rate, low=0.0)
    check_flag("staircase", staircase)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        length = jnp.asarray(decay_steps, count.dtype)
        steps = jnp.float32(jnp.floor_divide(count, length))
        time = steps if staircase else jnp.float32(count) / jnp.float32(length)
        return jnp.float32(initial_learning_rate) / (1 + jnp.float32(decay_rate) * time)

    return schedule
