"""Two sets of runs that shared their keys."""

from typing import Any, NamedTuple

import numpy as np
import scipy.stats

from jaxtricks._array_checks import real_array
from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.tuning._retrain import interval


class Comparison(NamedTuple):
    """The result of `compare`.

    Attributes:
        difference: mean of the first less the second.
        low: lower end of its confidence interval.
        high: upper end.
        p: of Student's two-sided test that the mean is 0.
        pairs: how many there were.
    """

    difference: float
    low: float
    high: float
    p: float
    pairs: int


def compare(first: Any, second: Any, *, level: ScalarLike = 0.95) -> Comparison:
    r"""Compares results of two settings, pair by pair: entry i of both had the same key.

    What a key does to both, such as easy or hard initial weights, is not part of the differences
    $d_i$, so the interval $\bar d \pm t_{n-1} s_d / \sqrt n$ is shorter than that of independent
    runs if the results are correlated.

    Args:
        first: results of one setting, one for each key, such as `retrain(...).results["loss"]`.
        second: those of the other, of the same keys in the same order.
        level: of the interval, between 0 and 1.

    Raises:
        ValueError: there are fewer than two pairs, the lengths differ, a result is not finite, or
            `level` is out of range.
        TypeError: an argument does not hold numbers.

    Example:
        >>> found = compare([0.30, 0.41, 0.52, 0.61], [0.20, 0.30, 0.40, 0.50])
        >>> f"{found.difference:.4f}, from {found.low:.3f} to {found.high:.3f}"
        '0.1100, from 0.097 to 0.123'
    """
    check_range("level", level, above=0.0, below=1.0)
    values = {}
    for name, given in (("first", first), ("second", second)):
        values[name] = np.asarray(real_array(name, given), float)
        if values[name].ndim != 1 or len(values[name]) < 2:
            raise ValueError(f"{name} must be one axis of at least two results.")
        if not np.isfinite(values[name]).all():
            raise ValueError(f"{name} must be finite: leave out keys that diverged in either.")
    if len(values["first"]) != len(values["second"]):
        lengths = {name: len(some) for name, some in values.items()}
        raise ValueError(f"first and second must be of the same keys, got lengths {lengths}.")
    differences = values["first"] - values["second"]
    p = 1.0 if not differences.any() else float(scipy.stats.ttest_1samp(differences, 0).pvalue)
    return Comparison(*interval(differences, level), p, len(differences))
