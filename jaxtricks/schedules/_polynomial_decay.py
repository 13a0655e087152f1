"""Polynomial decay: a power of the remaining updates."""

from jaxtyping import Array, Float

from jaxtricks._checks import check_integer, check_range
from jaxtricks._counted import counted
from jaxtricks._progress import polynomial_between, progress
from jaxtricks._types import ScalarLike
from jaxtricks.schedules._schedule import Schedule


def polynomial_decay(
    initial: ScalarLike, total_steps: int, *, final: ScalarLike = 0.0, power: ScalarLike = 1.0
) -> Schedule:
    r"""Lowers the learning rate from `initial` to `final` as a power of the remaining updates.

    $\alpha_t = \alpha_T + (\alpha_0 - \alpha_T) (1 - t / T)^p$ for $t \le T$, and $\alpha_T$ after
    that. With $p = 1$ it is `linear_decay`; a larger $p$ falls faster at first.

    Args:
        initial: $\alpha_0$, the learning rate of the first update, at least 0.
        total_steps: $T \ge 0$, the count at which `final` is reached; with 0 it is reached at once.
        final: $\alpha_T$, at least 0.
        power: $p > 0$.

    Raises:
        ValueError: a learning rate is negative or not finite, `total_steps` is negative, or `power`
            is not positive or not finite.
        TypeError: `total_steps` is not an integer.

    Example:
        >>> rate = polynomial_decay(1.0, 4, power=2.0)
        >>> [float(rate(count)) for count in range(6)]
        [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]

    References:
        Chen et al., [DeepLab](https://arxiv.org/abs/1606.00915), 2018, section 4.1, with the power
        0.9.
    """
    check_range("initial", initial, low=0.0)
    check_integer("total_steps", total_steps, low=0)
    check_range("final", final, low=0.0)
    check_range("power", power, above=0.0)

    @counted
    def schedule(count: Array) -> Float[Array, ""]:
        return polynomial_between(initial, final, *progress(count, total_steps), power)

    return schedule
