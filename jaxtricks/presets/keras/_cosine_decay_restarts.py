"""The schedule `keras.optimizers.schedules.CosineDecayRestarts`."""

from functools import partial

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxtricks._check_static import check_static, check_static_integer
from jaxtricks._checks import MAX_INT32, check_range
from jaxtricks._count_powers import power
from jaxtricks._counted import counted
from jaxtricks._progress import cosine_between
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule

Position = tuple[Array, Float[Array, ""], Float[Array, ""]]
MOST_CYCLES = 100_000  # in the table of the counts at which cycles begin


def cosine_decay_restarts(
    initial_learning_rate: ScalarLike,
    first_decay_steps: int,
    t_mul: int | float = 2.0,
    m_mul: ScalarLike = 1.0,
    alpha: ScalarLike = 0.0,
) -> Schedule:
    r"""Returns Keras's `CosineDecayRestarts`: half a cosine wave in each cycle, then a restart.

    Cycle $i$ is $N t^i$ updates long. When the fraction $\tau$ of it is over, the learning rate is
    $\alpha_0 (a + \frac12 (1 - a) m^i (1 + \cos(\pi \tau)))$. If $t$ is not an integer, cycles can
    begin between two updates. Keras computes the cycle from a logarithm, whose rounding error
    sometimes delays a restart by one update; here the cycle is exact.

    Args:
        initial_learning_rate: $\alpha_0 \ge 0$.
        first_decay_steps: $N \ge 1$, the number of updates of the first cycle.
        t_mul: $t \ge 1$, the length of each cycle divided by that of the one before.
        m_mul: $m \ge 0$, the height of each cycle divided by that of the one before; the height is
            measured from the lowest learning rate, $\alpha_0 a$.
        alpha: $a$, the lowest learning rate divided by the initial one, in `[0, 1]`.

    Raises:
        ValueError: an argument is out of range, or `t_mul` is so close to 1 that there would be
            more than 100,000 cycles.
        TypeError: `first_decay_steps` is not an integer, or `first_decay_steps` or `t_mul` is
            traced, because they fix the number of cycles.

    Example:
        >>> rate = cosine_decay_restarts(1.0, 2, m_mul=0.5)
        >>> [round(float(rate(count)), 3) for count in range(8)]
        [1.0, 0.5, 0.5, 0.427, 0.25, 0.073, 0.25, 0.24]

    References:
        Loshchilov and Hutter, [SGDR](https://arxiv.org/abs/1608.03983), 2017; Keras's
        [`CosineDecayRestarts`](https://keras.io/api/optimizers/learning_rate_schedules/cosine_decay_restarts/).
    """
    check_range("initial_learning_rate", initial_learning_rate, low=0.0)
    check_static_integer("first_decay_steps", first_decay_steps, low=1)
    check_static("t_mul", t_mul)
    check_range("t_mul", t_mul, low=1.0)
    check_range("m_mul", m_mul, low=0.0)
    check_range("alpha", alpha, low=0.0, high=1.0)
    if t_mul == 1:
        position = partial(_in_equal_cycles, length=first_decay_steps)
    else:
        position = partial(_in_growing_cycles, starts=_starts(first_decay_steps, float(t_mul)))

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        cycle, done, left = position(count)
        lowest = jnp.float32(alpha)
        top = lowest + (1 - lowest) * power(m_mul, cycle)
        wave = cosine_between(top, lowest, done / (done + left), left / (done + left))
        return jnp.float32(initial_learning_rate) * wave

    return schedule


def _starts(first_steps: int, factor: float) -> np.ndarray:
    """Returns the counts, in float64, at which cycles begin; the last is beyond every int32."""
    factor = min(factor, 1e30)  # a larger factor gives the same cycles
    cycles = np.log1p(MAX_INT32 / first_steps * (factor - 1)) / np.log(factor)
    if cycles > MOST_CYCLES:
        raise ValueError(
            f"t_mul must be 1, or so large that there are at most {MOST_CYCLES} cycles up to "
            f"update {MAX_INT32}, got {factor}."
        )
    return np.cumsum([0.0, *(first_steps * factor ** np.arange(int(cycles) + 2))])


def _in_equal_cycles(count: Array, *, length: ScalarLike) -> Position:
    """Returns the number of the cycle, and the updates in it that are over and left."""
    length = jnp.asarray(length, count.dtype)
    cycle = jnp.floor_divide(count, length)
    elapsed = count - cycle * length
    return cycle, jnp.float32(elapsed), jnp.float32(length - elapsed)


def _in_growing_cycles(count: Array, *, starts: np.ndarray) -> Position:
    """Returns the same as `_in_equal_cycles`, given the counts at which cycles begin."""
    integer = jnp.issubdtype(count.dtype, jnp.integer)
    kind = jnp.uint32 if integer else jnp.float32
    begins = np.minimum(np.ceil(starts) if integer else starts, 2**32 - 1).astype(kind)
    floors = jnp.asarray(np.minimum(np.floor(starts), 2**32 - 1).astype(kind))
    part = jnp.asarray(starts - np.floor(starts), jnp.float32)
    length = jnp.asarray(np.diff(starts), jnp.float32)
    count = jnp.asarray(count, kind)
    cycle = jnp.searchsorted(jnp.asarray(begins), count, side="right") - 1
    done = jnp.float32(count - floors[cycle]) - part[cycle]  # integers lose no digits
    left = jnp.float32(floors[cycle + 1] - count) + part[cycle + 1]
    fits = jnp.asarray(starts < 2**32 - 1)[cycle + 1]
    return cycle, done, jnp.where(fits, left, length[cycle] - done)
