"""A hyper-parameter that counts."""

from jaxtricks._checks import check_flag, check_integer
from jaxtricks.tuning._distribution import Interval
from jaxtricks.tuning._uniform import check_ends


def integers(low: int, high: int, *, logarithmic: bool = False) -> Interval:
    """All integers from `low` to `high`, both included, for a search space.

    They are traced like other numbers, so they cannot be the shape of anything: for a width or a
    depth take `choice(values, static=True)`.

    Args:
        low: the least one.
        high: the greatest one, above `low`.
        logarithmic: whether k has the probability of the numbers from k to k + 1 under
            `log_uniform(low, high + 1)`, which is close to equal probabilities of equal ratios;
            `low` must then be at least 1.

    Raises:
        ValueError: `low` is not below `high`, or one of them is out of the range of int32.
        TypeError: an end is not an integer, or `logarithmic` not a bool.

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
