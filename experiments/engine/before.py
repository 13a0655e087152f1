"""What scripts measured before the protocol: shown in the ledger, and to be judged anew.

Scripts that judge by the protocol import `all_of`, `paired` and the others from the package itself.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from experiments.engine import _verdict as judged
from experiments.engine._estimate import interval
from experiments.engine._part import holds, left_open

Outcome = Literal["confirmed", "refuted", "undecided"]
VOID = r" \((confirmed|refuted|undecided)\)"


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


def as_verdict(seen: Verdict, *, claim: bool) -> judged.Verdict:
    """As it stands in a record: an erratum's is a demonstration, a claim's is no verdict yet."""
    if claim:
        lines = tuple(re.sub(VOID, "", seen.measured).split("; "))
        return judged.Verdict(seen.subject, "to be judged anew", beside=lines)
    part = holds(seen.measured, seen.outcome == "confirmed")
    if seen.outcome == "undecided":
        part = left_open(part, "")
    return judged.Verdict(seen.subject, seen.outcome, (part,))
