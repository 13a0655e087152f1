"""A hyper-parameter whose logarithm is distributed uniformly."""

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.tuning._distribution import Interval
from jaxtricks.tuning._uniform import LARGEST, SMALLEST, check_ends


def log_uniform(low: ScalarLike, high: ScalarLike) -> Interval:
    r"""Makes a log-uniform distribution from `low` to `high`, for a search space.

    $\log x \sim U(\log \text{low}, \log \text{high})$, so a value between 0.001 and 0.01 is as
    probable as one between 0.01 and 0.1. This suits hyper-parameters that act as factors, such as a
    learning rate or a weight decay.

    Args:
        low: the lower end, above 0.
        high: the upper end, above `low`.

    Returns:
        A leaf for a search space.

    Raises:
        ValueError: `low` or `high` is not a positive normal number of float32, or `low` is not
            below `high`.
        TypeError: `low` or `high` is not a number.

    Example:
        >>> import numpy as np
        >>> [f"{rate:.3g}" for rate in log_uniform(1e-5, 1e-3).at(np.array([0.0, 0.5, 1.0]))]
        ['1e-05', '0.0001', '0.001']

    References:
        Bergstra and Bengio, [Random search for hyper-parameter optimization](
        https://jmlr.org/papers/v13/bergstra12a.html), 2012.
    """
    check_range("low", low, low=SMALLEST, high=LARGEST)
    check_range("high", high, low=SMALLEST, high=LARGEST)
    check_ends(low, high)
    return Interval(float(low), float(high), logarithmic=True)
