"""A paired comparison of two settings."""

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
        difference: mean over the pairs of the first result minus the second result.
        low: lower end of the confidence interval of the mean difference.
        high: upper end of the confidence interval.
        p: p-value of Student's two-sided test of the hypothesis that the mean difference is 0; it
            is 1 if the two results are equal in all pairs.
        pairs: number of pairs.
    """

    difference: float
    low: float
    high: float
    p: float
    pairs: int


def compare(first: Any, second: Any, *, level: ScalarLike = 0.95) -> Comparison:
    r"""Compares the results of two settings in pairs that were run with the same random key.

    For $n$ pairs with the differences $d_i$, the confidence interval of the mean difference is
    $\bar d \pm t_{n-1} s_d / \sqrt n$. An effect of the key on both results, such as good or bad
    initial weights, cancels in the differences, so the interval is shorter than for independent
    runs if the results are correlated.

    Args:
        first: results of one setting (of the hyper-parameters or anything else), one for each key,
            such as `retrain(...).results["loss"]`.
        second: results of the other setting for the same keys in the same order.
        level: confidence level of the interval, between 0 and 1, both excluded.

    Raises:
        ValueError: there are fewer than two pairs, the lengths differ, a result is not finite, or
            `level` is out of range.
        TypeError: an argument does not hold real numbers.

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
            raise ValueError(
                f"{name} must have one axis, of at least two results, got the shape "
                f"{values[name].shape}."
            )
        if not np.isfinite(values[name]).all():
            raise ValueError(
                f"{name} must be finite, got {values[name][~np.isfinite(values[name])][0]}: leave "
                "out keys for which a run diverged."
            )
    if len(values["first"]) != len(values["second"]):
        lengths = {name: len(some) for name, some in values.items()}
        raise ValueError(
            f"first and second must be results for the same keys, got the lengths {lengths}."
        )
    differences = values["first"] - values["second"]
    p = 1.0 if not differences.any() else float(scipy.stats.ttest_1samp(differences, 0).pvalue)
    return Comparison(*interval(differences, level), p, len(differences))
