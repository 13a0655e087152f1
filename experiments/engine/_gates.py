"""Controls that many claims share: metrics off their bounds, converged baselines, inner winners."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from experiments.engine._estimate import LEVEL, mean
from experiments.engine._part import check_size
from experiments.engine._tuning import Tuned
from experiments.engine._verdict import Gate

AT_BOUND = 0.2  # of an arm's seeds, at most
PILOTS = 5  # tuning seeds that show convergence, at least
WIDEST = 3  # of the smallest effect that matters: the half-width that a study is worth


def not_saturated(
    arms: Mapping[str, ArrayLike], *, bounds: Sequence[float], step: float, effect: float
) -> Gate:
    """`sat`: at most a fifth of an arm's seeds at a bound, and the mean's step under half δ.

    Args:
        arms: the metric of each arm, one a seed.
        bounds: values beyond which it cannot go: 100 %, chance, the limit of steps, a grid's end.
        step: the smallest change of one seed's metric (one test example, one grid step; 0 of a
            continuous one); that of the mean over n seeds is an nth of it.
        effect: the smallest effect that matters (δ).

    Raises:
        ValueError: there is no arm or no bound, an arm's values are no list, `step` is under 0 or
            `effect` not over 0.
    """
    if not arms or not len(bounds):
        raise ValueError(f"{len(arms)} arms and {len(bounds)} bounds: nothing can be at a bound.")
    if not 0 <= step < float("inf"):
        raise ValueError(f"step must be 0 or more and finite, got {step}.")
    check_size("effect", effect)
    shares = {
        name: float(np.mean(_at_any(_seeds(name, values), bounds))) for name, values in arms.items()
    }
    worst = max(shares, key=lambda name: shares[name])
    seeds = min(len(np.asarray(values)) for values in arms.values())
    fine = step / seeds
    return Gate(
        "sat",
        shares[worst] <= AT_BOUND and fine < effect / 2,
        f"{100 * shares[worst]:.0f} % of the seeds of {worst} are at a bound, and the mean moves "
        f"in steps of {fine:.2g} (δ {effect:g})",
    )


def _at_any(values: np.ndarray, bounds: Sequence[float]) -> np.ndarray:
    """Which values are at a bound, to the digits that a record keeps; one not finite is at none."""
    at = [np.isclose(values, bound, rtol=1e-5, atol=1e-7) for bound in bounds]
    return np.any([*at, ~np.isfinite(values)], axis=0)


def _seeds(name: str, values: ArrayLike) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"{name} must have one value a seed, shape [n], got {values.shape}.")
    return values


def converged(baseline: ArrayLike, doubled: ArrayLike, *, effect: float) -> Gate:
    """`conv`: doubling the updates moves the baseline's mean by δ or its standard error at most.

    Args:
        baseline: its metric on 5 or more tuning seeds.
        doubled: the metric of twice the updates, on the same seeds.
        effect: the smallest effect that matters (δ).

    Raises:
        ValueError: fewer than 5 seeds, or `effect` is not over 0.
    """
    check_size("effect", effect)
    baseline, doubled = np.asarray(baseline, np.float64), np.asarray(doubled, np.float64)
    if baseline.ndim != 1 or len(baseline) < PILOTS or baseline.shape != doubled.shape:
        raise ValueError(f"{PILOTS} or more seeds of both, got {baseline.shape}, {doubled.shape}.")
    moved = float(np.mean(doubled) - np.mean(baseline))
    error = float(baseline.std(ddof=1) / np.sqrt(len(baseline)))
    return Gate(
        "conv",
        abs(moved) <= max(effect, error),
        f"twice the updates move the baseline by {moved:.2g} (δ {effect:g}, standard error "
        f"{error:.2g}, {len(baseline)} tuning seeds)",
    )


def powered(differences: ArrayLike, *, n: int, effect: float) -> Gate:
    """`power`: the interval that n seeds are expected to give reaches 3 δ to each side at most.

    Where it reaches further the study is not started: its verdict is `not_started` with this gate.

    Args:
        differences: what will be judged, on 2 or more tuning seeds.
        n: seeds that are to be judged.
        effect: the smallest effect that matters (δ).

    Raises:
        ValueError: fewer than 2 differences or 2 seeds, all differences are equal, or `effect` is
            not over 0.
    """
    check_size("effect", effect)
    pilot = mean(differences)
    if pilot.saturated or n < 2:
        raise ValueError(f"nothing is to be expected of {n} seeds: {pilot.saturated or 'too few'}.")
    differences = np.asarray(differences, np.float64)
    error = float(differences.std(ddof=1) / np.sqrt(n))
    half = float(stats.t(n - 1).ppf((1 + LEVEL) / 2)) * error
    return Gate(
        "power",
        half <= WIDEST * effect,
        f"{n} seeds are expected to give ± {half:.2g} (δ {effect:g}, {len(differences)} tuning "
        "seeds)",
    )


def inside_grids(found: Mapping[Any, Tuned]) -> Gate:
    """`edge`: no winner at an end of its grid.

    Raises:
        ValueError: there is none.
    """
    if not found:
        raise ValueError("no winner is given: nothing can be at an end of its grid.")
    ends = [
        f"{name} ({', '.join(tuned.at_edge)})" for name, tuned in found.items() if tuned.at_edge
    ]
    text = f"at an end: {', '.join(ends)}" if ends else "no winner at an end of its grid"
    return Gate("edge", not ends, text)
