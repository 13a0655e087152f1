"""Verdicts: what the parts of a claim say together, by a rule fixed before the run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from experiments.engine._part import FACTORS, SIGNIFICANT, Outcome, Part, holds

Together = Literal["all", "any"]
VerdictOutcome = Literal[
    "confirmed",
    "refuted",
    "no difference",
    "undecided",
    "not testable",
    "not run",
    "to be judged anew",
    "convention",
]
FAILED = ("refuted", "no difference")
LISTED = 8  # settings of which one may show that something exists


@dataclass(frozen=True)
class Gate:
    """What must be so in the same run for a verdict to count: a control whose answer is known.

    Attributes:
        name: as the script's plan declares it.
        passed: whether it was so; None where the way in which the run is made keeps it, and nothing
            that was measured could break it.
        text: what was found, or how the run keeps it.

    Raises:
        ValueError: `passed` is neither true nor false nor None.
    """

    name: str
    passed: bool | None
    text: str

    def __post_init__(self) -> None:
        if self.passed not in (True, False, None):
            raise ValueError(f"control {self.name}: passed must be a bool, got {self.passed!r}.")
        if self.passed is not None:
            object.__setattr__(self, "passed", bool(self.passed))


@dataclass(frozen=True)
class Verdict:
    """What the numbers say of a claim or an erratum.

    Attributes:
        subject: "C-013", "E-05".
        outcome: with the smallest effects as declared; undecided if a gate failed.
        parts: the statements.
        together: whether all of them must hold, or any.
        gates: the controls.
        scope: data, number of examples, model, updates, batch and precision: no wider sentence is
            meant.
        sensitivity: the outcome at half of every smallest effect, and at twice.
        p: p-value that the outcome rests on, 1 if a control failed; None where nothing is random.
        reason: why the claim is not testable or was not run.
        beside: numbers that are printed and not judged.
    """

    subject: str
    outcome: VerdictOutcome
    parts: tuple[Part, ...] = ()
    together: Together = "all"
    gates: tuple[Gate, ...] = ()
    scope: str = ""
    sensitivity: tuple[VerdictOutcome, ...] = ()
    p: float | None = None
    reason: str = ""
    beside: tuple[str, ...] = ()

    @property
    def depends(self) -> bool:
        """Whether half or twice the smallest effect gives another outcome."""
        return any(outcome != self.outcome for outcome in self.sensitivity)


def all_of(
    subject: str,
    parts: Sequence[Part],
    *,
    scope: str,
    gates: Sequence[Gate] = (),
    beside: Sequence[str] = (),
) -> Verdict:
    """A claim whose parts must all hold.

    Confirmed if every part is; refuted if one is at 5 % after Holm's correction over the parts.

    Raises:
        ValueError: there is no part.

    Reference:
        Holm (1979), A simple sequentially rejective multiple test procedure.
    """
    return _judge(subject, parts, "all", scope, gates, beside)


def exists(
    subject: str,
    parts: Sequence[Part],
    *,
    scope: str,
    gates: Sequence[Gate] = (),
    beside: Sequence[str] = (),
) -> Verdict:
    """A claim that something may be: at most 8 settings, listed beforehand, one of which must hold.

    Confirmed if one part is after Holm's correction over all; refuted only if every part is.

    Raises:
        ValueError: there is no part, or more than 8.
    """
    if len(parts) > LISTED:
        raise ValueError(f"{subject}: at most {LISTED} settings may be listed, got {len(parts)}.")
    return _judge(subject, parts, "any", scope, gates, beside)


def not_testable(subject: str, reason: str, beside: Sequence[str] = ()) -> Verdict:
    """A report of usage, a convention, an analogy: numbers may be printed, nothing is judged."""
    return Verdict(subject, "not testable", reason=reason, beside=tuple(beside))


def not_run(subject: str, reason: str, beside: Sequence[str] = ()) -> Verdict:
    """A claim whose floor or budget is out of reach here; `reason` says what was reached."""
    return Verdict(subject, "not run", reason=reason, beside=tuple(beside))


def not_started(subject: str, power: Gate, beside: Sequence[str] = ()) -> Verdict:
    """A claim that as many seeds as it may take could not decide: undecided, and not run.

    Raises:
        ValueError: the gate passed, so the study is to be run.
    """
    if power.passed is not False:
        raise ValueError(f"{subject}: {power.text}, so the study is to be run.")
    reason = f"too few seeds to decide it: {power.text}"
    return Verdict(subject, "undecided", reason=reason, beside=tuple(beside))


def demonstration(subject: str, shown: bool, text: str, *, panel: str = "") -> Verdict:
    """An erratum: confirmed if the printed form goes wrong and the right one does not."""
    part = holds(text, shown, panel=panel)
    return Verdict(subject, part.outcome, (part,))


def convention(subject: str, *lines: str) -> Verdict:
    """An erratum that is a clash of conventions: what each gives is printed, nothing is judged."""
    return Verdict(subject, "convention", beside=lines)


def part_of(parts: Sequence[Part], together: Together) -> Part:
    """Several statements as one part of a larger claim, such as "any of 4 starts".

    Its p-values are those of the statements together; the text lists what each gave.

    Raises:
        ValueError: there is no statement, or `together` is neither "all" nor "any".
    """
    if not parts or together not in get_args(Together):
        raise ValueError(f"{together!r} of {len(parts)} statements is no part.")
    rows = [_together(parts, together, i) for i in range(len(FACTORS))]
    outcomes, support, against = zip(*rows, strict=True)
    text = "; ".join(f"{part.measured}, {part.outcome}" for part in parts)
    sizes = [part.n for part in parts if part.n is not None]
    return Part(
        text,
        f"{together} of {len(parts)}",
        outcomes,
        support,
        against,
        n=min(sizes) if sizes else None,
        panel=" and ".join(dict.fromkeys(part.panel for part in parts if part.panel)),
        sizes=tuple(dict.fromkeys(size for part in parts for size in part.sizes)),
    )


def follows(verdict: Verdict) -> bool:
    """Whether its outcome is what its parts and controls give together, to a record's digits.

    Without parts nothing was judged: it is not testable, was not run, or not started.
    """
    if not verdict.parts:
        return verdict.outcome in ("not testable", "not run", "undecided") and bool(verdict.reason)
    again = _judge(
        verdict.subject,
        verdict.parts,
        verdict.together,
        verdict.scope,
        verdict.gates,
        verdict.beside,
    )
    alike = (again.outcome, again.sensitivity) == (verdict.outcome, verdict.sensitivity)
    if again.p is None or verdict.p is None:
        return alike and again.p == verdict.p
    return alike and math.isclose(again.p, verdict.p, rel_tol=1e-5)


def _judge(
    subject: str,
    parts: Sequence[Part],
    together: Together,
    scope: str,
    gates: Sequence[Gate],
    beside: Sequence[str],
) -> Verdict:
    if not parts:
        raise ValueError(f"{subject}: a verdict needs one or more parts, got none.")
    if isinstance(beside, str):
        raise TypeError(f"{subject}: beside must be a list of texts, got {beside!r}.")
    passed = not any(gate.passed is False for gate in gates)
    rows = [_together(parts, together, i) for i in range(len(FACTORS))]
    outcomes = [outcome if passed else "undecided" for outcome, _, _ in rows]
    outcome, support, against = rows[0]
    p = (against if outcome in FAILED else support) if passed else 1.0
    random = any(part.n is not None for part in parts)
    return Verdict(
        subject,
        outcomes[0],
        tuple(parts),
        together,
        tuple(gates),
        scope,
        tuple(outcomes[1:]),
        p if random else None,
        beside=tuple(beside),
    )


def _together(parts: Sequence[Part], together: Together, i: int) -> tuple[Outcome, float, float]:
    """Outcome and p-values for and against, at one of the three sizes of the smallest effect."""
    outcomes = [part.outcomes[i] for part in parts]
    support, against = [part.support[i] for part in parts], [part.against[i] for part in parts]
    failing = [p for p, outcome in zip(against, outcomes, strict=True) if outcome in FAILED]
    holding = [p for p, outcome in zip(support, outcomes, strict=True) if outcome == "confirmed"]
    outcome: Outcome = "undecided"
    if set(outcomes) == {"no difference"}:
        outcome = "no difference"
    elif len(holding if together == "all" else failing) == len(parts):
        outcome = "confirmed" if together == "all" else "refuted"
    elif holm(failing if together == "all" else holding, len(parts)) <= SIGNIFICANT:
        outcome = "refuted" if together == "all" else "confirmed"
    if outcome == "no difference":  # of every part
        return outcome, max(support), max(against)
    if together == "all":
        return outcome, max(support), holm(failing, len(parts))
    return outcome, holm(holding or support, len(parts)), max(against)


def holm(p: Sequence[float], parts: int) -> float:
    """The least p-value after Holm's correction over `parts`; 1 of none."""
    return min(1.0, parts * min(p, default=1.0))
