"""The schedule `keras.optimizers.schedules.CosineDecay`."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_integer, check_range
from jaxtricks._counted import counted
from jaxtricks._progress import cosine_between, progress
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule


def cosine_decay(
    initial_learning_rate: ScalarLike,
    decay_steps: int,
    alpha: ScalarLike = 0.0,
    warmup_target: ScalarLike | None = None,
    warmup_steps: int = 0,
) -> Schedule:
    r"""Returns Keras's `CosineDecay`: half a cosine wave, after a linear warmup if there is one.

    The decay starts from the peak $p$ and takes $N$ updates, in which the learning rate is
    $\alpha_t = p\, (a + \frac12 (1 - a) (1 + \cos(\pi t / N)))$; afterwards it is $a p$. Without
    warmup the peak is the initial learning rate. With warmup the peak is `warmup_target`, to which
    the learning rate rises linearly in `warmup_steps` updates, and $t$ counts from the end of the
    warmup.

    Args:
        initial_learning_rate: the learning rate of the first update, at least 0.
        decay_steps: $N \ge 1$, the updates of the decay, without the warmup.
        alpha: $a$, the last learning rate divided by the peak, in `[0, 1]`.
        warmup_target: $p \ge 0$, or None for no warmup.
        warmup_steps: number of updates of the warmup, at least 0; ignored without `warmup_target`,
            as in Keras.

    Raises:
        ValueError: an argument is out of range.
        TypeError: `decay_steps` or `warmup_steps` is not an integer.

    Example:
        >>> rate = cosine_decay(0.0, 2, warmup_target=1.0, warmup_steps=2)
        >>> [round(float(rate(count)), 3) for count in range(6)]
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]

    References:
        Keras's
        [`CosineDecay`](https://keras.io/api/optimizers/learning_rate_schedules/cosine_decay/).
    """
    check_range("initial_learning_rate", initial_learning_rate, low=0.0)
    check_integer("decay_steps", decay_steps, low=1)
    check_range("alpha", alpha, low=0.0, high=1.0)
    if warmup_target is not None:
        check_range("warmup_target", warmup_target, low=0.0)
    check_integer("warmup_steps", warmup_steps, low=0)

    def decay(count: Array, peak: Float[Array, ""]) -> Float[Array, ""]:
        return cosine_between(peak, peak * jnp.float32(alpha), *progress(count, decay_steps))

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        first = jnp.float32(initial_learning_rate)
        if warmup_target is None:
            return decay(count, first)
        peak, end = jnp.float32(warmup_target), jnp.asarray(warmup_steps, count.dtype)
        done, left = progress(count, warmup_steps)
        decayed = decay(jnp.maximum(count, end) - end, peak)
        return jnp.where(count < end, first * left + peak * done, decayed)

    return schedule
