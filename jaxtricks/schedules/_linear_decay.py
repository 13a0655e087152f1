"""Linear decay: a straight line from the initial learning rate down to the final one."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_integer, check_range
from jaxtricks._counted import counted
from jaxtricks._progress import progress
from jaxtricks._types import ScalarLike
from jaxtricks.schedules._schedule import Schedule


def linear_decay(initial: ScalarLike, total_steps: int, *, final: ScalarLike = 0.0) -> Schedule:
    r"""Lowers the learning rate by the same amount at every update, from `initial` to `final`.

    $\alpha_t = \alpha_0 (1 - t / T) + \alpha_T t / T$ for $t \le T$, and $\alpha_T$ after that. The
    number of remaining updates, $T - t$, is computed as an integer, so even the small learning
    rates at the end are accurate. The paper of BERT has a linear warmup before the decay:
    `with_warmup(linear_decay(peak, total - warmup), warmup, start="zero")`, which refuses a warmup
    longer than the total.

    Args:
        initial: $\alpha_0$, the learning rate of the first update, at least 0.
        total_steps: $T \ge 0$, the count at which `final` is reached; with 0 it is reached at once.
        final: $\alpha_T$, at least 0.

    Raises:
        ValueError: a learning rate is negative or not finite, or `total_steps` is negative.
        TypeError: `total_steps` is not an integer.

    Example:
        >>> rate = linear_decay(1.0, 4)
        >>> [float(rate(count)) for count in range(6)]
        [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]

    References:
        Devlin et al., [BERT](https://arxiv.org/abs/1810.04805), 2019, A.2.
    """
    check_range("initial", initial, low=0.0)
    check_range("final", final, low=0.0)
    check_integer("total_steps", total_steps, low=0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        done, left = progress(count, total_steps)
        return jnp.float32(initial) * left + jnp.float32(final) * done

    return schedule
