"""A hyper-parameter with a uniform distribution."""

import numpy as np

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.tuning._distribution import Interval

SMALLEST, LARGEST = map(float, (np.finfo(np.float32).tiny, np.finfo(np.float32).max))


def uniform(low: ScalarLike, high: ScalarLike) -> Interval:
    """Makes a uniform distribution from `low` to `high`, for a search space.

    Args:
        low: the lower end.
        high: the upper end, above `low`.

    Returns:
        A leaf for a search space.

    Raises:
        ValueError: `low` or `high` is not finite in float32, or `low` is not below `high`.
        TypeError: `low` or `high` is not a number.

    Example:
        >>> uniform(0.0, 0.9).at(np.array([0.0, 0.5, 1.0])).tolist()
        [0.0, 0.44999998807907104, 0.8999999761581421]
    """
    check_range("low", low, low=-LARGEST, high=LARGEST)
    check_range("high", high, low=-LARGEST, high=LARGEST)
    check_ends(low, high)
    return Interval(float(low), float(high))


def check_ends(low: ScalarLike, high: ScalarLike) -> None:
    """Checks that `low` is below `high`.

    Raises:
        ValueError: it is not.
    """
    if not float(low) < float(high):
        raise ValueError(f"low must be below high, got {low} and {high}.")
