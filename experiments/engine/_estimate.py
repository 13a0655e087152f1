"""Estimates with their 95 % intervals, and how sure it is that the true value lies on one side."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

LEVEL = 0.95
EXACT = 20  # up to so many differences all their signs are tried
DRAWS = 100_000
ROUNDING = 1e-5  # of differences of float32 or of records, relative: sums this close are ties
RANKED = 6  # values of which signed ranks can reach 5 %


@dataclass(frozen=True)
class Estimate:
    """A number that was measured, and what is known of the true one.

    Attributes:
        value: the estimate.
        low: lower end of the 95 % interval; equal to `value` where nothing is random.
        high: its upper end.
        n: independent units it comes from; None where nothing is random.
        below: `bound -> p`: two-sided p-value of "the true value is not below `bound`". It is at
            most 0.05 where `high < bound`.
        above: the same for "not above".
        exact: gives the two-sided p-value of "the true value is 0" by an exact test, when it is
            asked for `p`; None where there is none.
        saturated: why these values are no evidence, though something was random: all are equal,
            as at a bound of the metric. The interval is then without ends.
    """

    value: float
    low: float
    high: float
    n: int | None
    below: Callable[[float], float]
    above: Callable[[float], float]
    exact: Callable[[], float] | None = None
    saturated: str = ""

    @property
    def p(self) -> float | None:
        return self.exact() if self.exact else None


def exactly(value: float) -> Estimate:
    """A number that nothing random went into.

    Raises:
        ValueError: it is not finite.
    """
    value = float(value)
    if not np.isfinite(value):
        raise ValueError(f"value must be finite, got {value}.")
    return Estimate(
        value,
        value,
        value,
        None,
        lambda bound: 0.0 if value < bound else 1.0,
        lambda bound: 0.0 if value > bound else 1.0,
    )


def no_evidence(value: float, n: int, reason: str) -> Estimate:
    infinity = float("inf")
    return Estimate(value, -infinity, infinity, n, _never, _never, saturated=reason)


def _never(bound: float) -> float:
    del bound
    return 1.0


def mean(values: ArrayLike, *, choice_variance: float = 0.0) -> Estimate:
    """Mean of independent values by Student's t, and the exact sign-flip test of "it is 0".

    Args:
        values: one a seed, shape [n], n of 2 or more.
        choice_variance: variance of the mean over choices of hyper-parameters, where these were
            made once for all seeds; it is added to the variance of the mean. The test that flips
            signs takes the choice as given, so it may disagree with the wider interval.

    Raises:
        ValueError: fewer than two values, or one that is not finite; a variance below 0.

    Reference:
        Student (1908), The probable error of a mean; Fisher (1935), The design of experiments,
        section 21 (the test that flips signs).
    """
    values = _sample(values)
    if not 0 <= choice_variance < float("inf"):
        raise ValueError(f"choice_variance must be finite, 0 or more, got {choice_variance}.")
    n, centre, largest = len(values), float(values.mean()), float(np.max(np.abs(values)))
    if np.ptp(values) <= 1e-12 * largest:
        return no_evidence(centre, n, f"all {n} values are {values[0]:.6g}")
    spread = largest * float(np.std(values / largest, ddof=1))  # of values of any size
    error = float(np.hypot(spread / np.sqrt(n), np.sqrt(choice_variance)))
    half = float(special.stdtrit(n - 1, (1 + LEVEL) / 2)) * error  # Student's quantile
    return Estimate(
        centre,
        centre - half,
        centre + half,
        n,
        lambda bound: min(1.0, 2 * float(special.stdtr(n - 1, (centre - bound) / error))),
        lambda bound: min(1.0, 2 * float(special.stdtr(n - 1, (bound - centre) / error))),
        functools.cache(lambda: sign_flip_p(values)),
    )


def sign_flip_p(values: ArrayLike) -> float:
    """Two-sided p-value of the test that flips the signs of paired differences.

    The share of all 2^n choices of signs whose sum is at least as far from 0 as that of the values;
    beyond 20 values, of 100,000 choices drawn at random, the values' own counted besides.

    Example:
        >>> sign_flip_p([1.0, 2.0, 3.0, 4.0, 5.0])
        0.0625
    """
    values = _sample(values)
    reached = abs(values.sum()) - ROUNDING * np.abs(values).sum()
    if len(values) > EXACT:
        rng, n = np.random.default_rng(0), len(values)
        flips = np.unpackbits(rng.integers(0, 256, (DRAWS, -(-n // 8)), np.uint8), axis=1)[:, :n]
        sums = values.sum() - 2 * np.concatenate([rows @ values for rows in np.split(flips, 10)])
        return float((1 + np.sum(np.abs(sums) >= reached)) / (1 + DRAWS))
    first, second = (_signed_sums(half) for half in np.array_split(values, 2))
    second = np.sort(second)  # of both halves' sums, the pairs that reach as far
    above = len(second) - np.searchsorted(second, reached - first)
    below = np.searchsorted(second, -reached - first, side="right")
    reaching = np.minimum(above + below, len(second))  # all, if the sum is 0
    return float(reaching.sum() / 2 ** len(values))


def _signed_sums(values: np.ndarray) -> np.ndarray:
    """The sums of the values with each choice of signs, shape [2^n]."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def ranked(values: ArrayLike) -> Estimate:
    """Median of independent values some of which are censored, by Wilcoxon's signed ranks.

    A run that diverged has no number, and enters as the worst value that there can be: the mean
    would follow that choice, ranks do not. The estimate is Hodges and Lehmann's, the median of the
    means of all pairs (and of each value with itself); how many of these means lie beyond a bound
    is Wilcoxon's statistic, whose exact distribution gives the interval and the p-values.

    Args:
        values: one a seed, shape [n], n of 6 or more: fewer never reach 5 %.

    Raises:
        ValueError: fewer than six values, or one that is not finite.

    Reference:
        Hodges and Lehmann (1963), Estimates of location based on rank tests.
    """
    values = _sample(values)
    n = len(values)
    if n < RANKED:
        raise ValueError(f"signed ranks need {RANKED} or more values, got {n}.")
    if np.ptp(values) == 0:
        return no_evidence(values[0], n, f"all {n} values are {values[0]:.6g}")
    first, second = np.triu_indices(n)
    means = np.sort((values[first] + values[second]) / 2)
    chance = np.ones(1)  # that ranks 1 ... n with random signs add up to 0, 1, 2, ...
    for rank in range(1, n + 1):
        chance = (np.pad(chance, (0, rank)) + np.pad(chance, (rank, 0))) / 2
    tails = np.minimum(1.0, 2 * np.cumsum(chance))
    beyond = int(np.sum(tails <= 1 - LEVEL)) - 1

    def below(bound: float) -> float:
        return float(tails[np.sum(means >= bound)])

    def above(bound: float) -> float:
        return float(tails[np.sum(means <= bound)])

    return Estimate(
        float(np.median(means)),
        float(means[beyond]),
        float(means[-1 - beyond]),
        n,
        below,
        above,
        lambda: min(above(0.0), below(0.0)),
    )


def correlation(first: ArrayLike, second: ArrayLike) -> Estimate:
    """Pearson's correlation of independent pairs, with the interval of Fisher's z.

    Raises:
        ValueError: fewer than four pairs, or a value that is not finite.

    Reference:
        Fisher (1921), On the probable error of a coefficient of correlation.
    """
    first, second = _sample(first), _sample(second)
    if len(first) < 4:
        raise ValueError(f"a correlation needs four or more pairs, got {len(first)}.")
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return no_evidence(0.0, len(first), "one of the two is constant")
    found = stats.pearsonr(first, second)
    if abs(found.statistic) > 1 - 1e-12:
        return no_evidence(float(found.statistic), len(first), "the two lie on one line")
    low, high = found.confidence_interval(LEVEL)
    z = stats.norm(np.arctanh(found.statistic), 1 / np.sqrt(len(first) - 3))
    return Estimate(
        float(found.statistic),
        float(low),
        float(high),
        len(first),
        lambda bound: min(1.0, 2 * float(z.sf(_arctanh(bound)))),
        lambda bound: min(1.0, 2 * float(z.cdf(_arctanh(bound)))),
        lambda: float(found.pvalue),
    )


def _arctanh(bound: float) -> float:
    return float(np.arctanh(np.clip(bound, -1, 1)))


def _sample(values: ArrayLike) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"an interval needs two or more finite values, shape [n]; got {values}.")
    return values


def interval(values: ArrayLike) -> tuple[float, float, float]:
    """Mean and ends of its 95 % interval, for a picture; of equal values a point.

    Raises:
        ValueError: fewer than two values, or one that is not finite.
    """
    found = mean(values)
    if found.saturated:
        return found.value, found.value, found.value
    return found.value, found.low, found.high
