"""Verdicts: what the numbers say about a claim, by a rule fixed before the run.

A claim with seeds is judged by the 95 % interval of the mean paired difference: on the claimed side
it is confirmed, on the other side refuted, else undecided. A deterministic claim is judged by a
tolerance. An erratum is confirmed when the literal form goes wrong and the right form does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

Outcome = Literal["confirmed", "refuted", "undecided", "not run"]

# Two-sided 97.5 % quantiles of Student's t for 1 to 3 degrees of freedom (2 to 4 seeds).
STUDENT_T = {2: 12.706, 3: 4.303, 4: 3.182}


@dataclass(frozen=True)
class Verdict:
    """`subject`: the claim or erratum, "C-013", "E-05"; `measured`: the numbers, in a sentence."""

    subject: str
    outcome: Outcome
    measured: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    seeds: int | None = None


def interval(values: ArrayLike, *, resamples: int = 10_000) -> tuple[float, float, float]:
    """Mean and 95 % interval over seeds (the first axis): bootstrap, or Student's t under 5 seeds.

    Raises:
        ValueError: fewer than two values, or one that is not finite.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"an interval needs two or more finite values, got {values}.")
    mean = float(values.mean())
    if len(values) < 5:
        half = STUDENT_T[len(values)] * values.std(ddof=1) / np.sqrt(len(values))
        return mean, mean - float(half), mean + float(half)
    draws = np.random.default_rng(0).integers(0, len(values), (resamples, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return mean, float(low), float(high)


def paired(
    subject: str, differences: ArrayLike, measured: str, *, claimed: Literal["positive", "negative"]
) -> Verdict:
    """Judges paired differences, one a seed; `claimed` is the side on which the claim holds."""
    mean, low, high = interval(differences)
    sign = 1 if claimed == "positive" else -1
    right, wrong = min(sign * low, sign * high) > 0, max(sign * low, sign * high) < 0
    outcome: Outcome = "confirmed" if right else "refuted" if wrong else "undecided"
    seeds = len(np.asarray(differences))
    text = f"{measured}: {mean:.4g} [{low:.4g}, {high:.4g}], {seeds} seeds"
    return Verdict(subject, outcome, text, mean, low, high, seeds)


def exact(subject: str, holds: bool | np.bool_, measured: str) -> Verdict:
    """Judges a deterministic statement."""
    return Verdict(subject, "confirmed" if holds else "refuted", measured)


def combine(subject: str, parts: Sequence[Verdict], measured: str | None = None) -> Verdict:
    """Judges a claim of several parts: confirmed if all are, refuted if one is, else undecided."""
    outcomes = {part.outcome for part in parts}
    outcome: Outcome = (
        "refuted"
        if "refuted" in outcomes
        else "confirmed"
        if outcomes == {"confirmed"}
        else "undecided"
    )
    text = "; ".join(f"{part.measured} ({part.outcome})" for part in parts)
    return Verdict(subject, outcome, measured or text)
