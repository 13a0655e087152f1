"""A hyper-parameter with integer values."""

from jaxtricks._checks import check_flag, check_integer
from jaxtricks.tuning._distribution import Interval
from jaxtricks.tuning._uniform import check_ends


def integers(low: int, high: int, *, logarithmic: bool = False) -> Interval:
    """Makes a distribution over the integers from `low` to `high`, for a search space.

    The integers are traced, so they cannot determine the shape of an array. For a width or a depth
    use `choice(values, static=True)`.

    Args:
        low: the smallest integer.
        high: the largest integer, above `low`.
        logarithmic: False makes all integers equally probable. True gives `k` the probability of
            the numbers from `k` to `k + 1` under `log_uniform(low, high + 1)`, so that each factor
            of 10 is about equally probable; `low` must then be at least 1.

    Returns:
        A leaf for a search space.

    Raises:
        ValueError: `low` is not below `high`, `low` or `high` is out of the range of int32, or
            `low` is under 1 with `logarithmic=True`.
        TypeError: `low` or `high` is not an integer, or `logarithmic` is not a bool.

    Example:
        >>> import numpy as np
        >>> integers(1, 6).at(np.array([0.0, 0.16, 0.17, 0.99])).tolist()
        [1, 1, 2, 6]
    """
    check_flag("logarithmic", logarithmic)
    check_integer("low", low, **({"low": 1} if logarithmic else {}))
    check_integer("high", high)
    check_ends(low, high)
    return Interval(int(low), int(high), logarithmic=bool(logarithmic), integer=True)
