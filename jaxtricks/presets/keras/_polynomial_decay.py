"""The schedule `keras.optimizers.schedules.PolynomialDecay`."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_flag, check_integer, check_range
from jaxtricks._counted import counted
from jaxtricks._progress import polynomial_between, progress
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule


def polynomial_decay(
    initial_learning_rate: ScalarLike,
    decay_steps: int,
    end_learning_rate: ScalarLike = 0.0001,
    power: ScalarLike = 1.0,
    cycle: bool = False,
) -> Schedule:
    r"""Returns Keras's `PolynomialDecay`, a power of the share of the updates that are left.

    $\alpha_t = \alpha_N + (\alpha_0 - \alpha_N) (1 - t / N)^p$ for $t \le N$, and
    $\alpha_t = \alpha_N$ afterwards. With `cycle`, the formula holds for all $t$, but in $t / N$
    the first multiple of $N$ that $t$ has not passed takes the place of $N$. The learning rate then
    jumps up after each multiple of $N$, each time to a lower value.

    Args:
        initial_learning_rate: $\alpha_0 \ge 0$.
        decay_steps: $N \ge 1$, the number of updates of the decay.
        end_learning_rate: $\alpha_N \ge 0$, the learning rate after update $N$.
        power: $p \ge 0$.
        cycle: whether the learning rate rises again after update $N$.

    Raises:
        ValueError: an argument is out of range.
        TypeError: `decay_steps` is not an integer, or `cycle` is not a bool.

    Example:
        >>> rate = polynomial_decay(1.0, 2, end_learning_rate=0.0)
        >>> [round(float(rate(count)), 3) for count in range(6)]
        [1.0, 0.5, 0.0, 0.0, 0.0, 0.0]
        >>> rate = polynomial_decay(1.0, 2, end_learning_rate=0.0, cycle=True)
        >>> [round(float(rate(count)), 3) for count in range(6)]
        [1.0, 0.5, 0.0, 0.25, 0.0, 0.167]

    References:
        Keras's
        [`PolynomialDecay`](https://keras.io/api/optimizers/learning_rate_schedules/polynomial_decay/).
    """
    check_range("initial_learning_rate", initial_learning_rate, low=0.0)
    check_integer("decay_steps", decay_steps, low=1)
    check_range("end_learning_rate", end_learning_rate, low=0.0)
    check_range("power", power, low=0.0)
    check_flag("cycle", cycle)

    def repeated(count: Array) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Returns the fractions over and left of the first multiple of N that is not passed."""
        length = jnp.asarray(decay_steps, count.dtype)
        phase = jnp.remainder(count, length)
        rest = jnp.float32(jnp.where((phase > 0) | (count == 0), length - phase, 0))
        total = jnp.float32(count) + rest
        return jnp.float32(count) / total, rest / total

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        fractions = repeated(count) if cycle else progress(count, decay_steps)
        return polynomial_between(initial_learning_rate, end_learning_rate, *fractions, power)

    return schedule
