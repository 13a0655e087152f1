"""Estimates of shares of trials, alone or of the same trials twice, by the exact binomial."""

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from experiments.engine._estimate import LEVEL, Estimate, no_evidence


def share(successes: int, n: int) -> Estimate:
    """A share of independent trials, with Clopper and Pearson's exact interval.

    Raises:
        ValueError: one of the two is no whole number, `n` is under 1, or `successes` is not among
            0 ... n.

    Reference:
        Clopper and Pearson (1934), The use of confidence or fiducial limits illustrated in the case
        of the binomial.
    """
    if not (float(successes).is_integer() and float(n).is_integer() and 0 <= successes <= n >= 1):
        raise ValueError(
            f"successes must be a whole number among 0 ... n, n of 1 or more; got {successes}, {n}."
        )
    successes, n = int(successes), int(n)
    low, high = stats.binomtest(successes, n).proportion_ci(LEVEL, method="exact")

    def below(bound: float) -> float:
        return 0.0 if bound > 1 else min(1.0, 2 * float(stats.binom.cdf(successes, n, bound)))

    def above(bound: float) -> float:
        return 0.0 if bound < 0 else min(1.0, 2 * float(stats.binom.sf(successes - 1, n, bound)))

    return Estimate(successes / n, float(low), float(high), n, below, above)


def share_difference(first: ArrayLike, second: ArrayLike) -> Estimate:
    """Share of trials in which `first` succeeds, less that of `second`, of the same trials.

    Two numbers are binomial: the trials in which they differ, and of these the ones that favour
    `first`. The interval joins Clopper and Pearson's of both, at 97.5 % each, so that it covers the
    difference in 95 % of the cases at least; `p` is McNemar's exact test of "they are equal".

    Args:
        first: successes as booleans or as 0 and 1, shape [n], n of 1 or more.
        second: those of the other, of the same trials.

    Raises:
        ValueError: the shapes differ, there is no trial, or a value is neither 0 nor 1.

    Reference:
        McNemar (1947), Note on the sampling error of the difference between correlated proportions.
    """
    first, second = np.asarray(first), np.asarray(second)
    if first.ndim != 1 or first.shape != second.shape or not len(first):
        raise ValueError(f"shapes must be equal, [n]; got {first.shape} and {second.shape}.")
    if not np.isin([first, second], (0, 1)).all():
        raise ValueError(f"successes must be 0 or 1, got {first} and {second}.")
    first, second = first.astype(bool), second.astype(bool)
    n, gained, lost = len(first), int(np.sum(first & ~second)), int(np.sum(second & ~first))
    if gained + lost == 0:
        return no_evidence(0.0, n, f"the two agree in all {n} trials")
    ends = functools.partial(_difference_ends, gained, gained + lost, n)
    low, high = ends(1 - LEVEL)
    return Estimate(
        (gained - lost) / n,
        low,
        high,
        n,
        lambda bound: _least(lambda alpha: ends(alpha)[1] < bound),
        lambda bound: _least(lambda alpha: ends(alpha)[0] > bound),
        lambda: float(stats.binomtest(gained, gained + lost).pvalue),
    )


def _difference_ends(gained: int, differ: int, n: int, alpha: float) -> tuple[float, float]:
    """Ends of the joint interval at the level 1 - `alpha`."""
    reach = _clopper_pearson(differ, n, alpha / 2)
    favour = _clopper_pearson(gained, differ, alpha / 2)
    low, high = (2 * np.array(favour) - 1)[:, None] * np.array(reach)
    return float(low.min()), float(high.max())


def _clopper_pearson(successes: int, n: int, alpha: float) -> tuple[float, float]:
    low = special.betaincinv(successes, n - successes + 1, alpha / 2) if successes else 0.0
    rest = n - successes
    high = special.betaincinv(successes + 1, rest, 1 - alpha / 2) if rest else 1.0
    return float(low), float(high)


def _least(excluded: Callable[[float], bool]) -> float:
    """The p-value: the least alpha at which the interval excludes the bound, to 1e-6."""
    low, high = 0.0, 1.0
    if not excluded(high):
        return high
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if excluded(middle) else (middle, high)
    return high
