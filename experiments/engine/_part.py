"""Parts of a verdict: one statement each, and what the numbers say of it.

Every part is judged three times: at its smallest effect that matters, at half of it and at twice,
so that a verdict can say whether it depends on that choice.
"""

import dataclasses
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["confirmed", "refuted", "no difference", "undecided"]
FACTORS = (1.0, 0.5, 2.0)  # of the smallest effect that matters
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Part:
    """One statement and what the numbers say of it.

    Attributes:
        text: what was measured, words that "0.46 [0.45, 0.47]" can follow.
        claimed: what the claim says of it, as "over 0.05".
        outcomes: at the smallest effect that matters, at half of it and at twice.
        support: p-values of the statement's opposite, at the same three: how surely it is
            confirmed. 0 or 1 where nothing is random.
        against: p-values of the statement: how surely it is refuted.
        estimate: the number; None where it is none.
        low: lower end of the 95 % interval; None where nothing is random.
        high: its upper end.
        n: independent units behind it; None where nothing is random.
        p: two-sided p-value of no effect, by the exact test.
        panel: letter of the picture's panel that shows it.
        remark: why it is undecided, if no interval says so.
        sizes: the smallest effect that matters, the bound or the tolerance that it was judged by;
            of several statements together, of each.
    """

    text: str
    claimed: str
    outcomes: tuple[Outcome, ...]
    support: tuple[float, ...]
    against: tuple[float, ...]
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    p: float | None = None
    panel: str = ""
    remark: str = ""
    sizes: tuple[float, ...] = ()

    @property
    def outcome(self) -> Outcome:
        return self.outcomes[0]

    @property
    def measured(self) -> str:
        """What was measured, with its number and interval: "slope: 0.46 [0.45, 0.47]"."""
        if self.estimate is None:
            return self.text
        words = f"{self.text}: {number(self.estimate)}"
        if self.low is None or self.high is None:
            return words
        return f"{words} [{number(self.low)}, {number(self.high)}]"


def number(value: float) -> str:
    """Four significant digits, without an exponent where that is short."""
    return f"{value:.4g}"


def holds(text: str, true: bool, *, panel: str = "") -> Part:
    """A fact that no number measures: something runs, is refused, is equal bit by bit.

    Raises:
        ValueError: `true` is neither true nor false, nor 1 nor 0 as a record has it.
    """
    if true not in (0, 1):
        raise ValueError(f"{text!r} must be true or false, got {true!r}.")
    outcome: Outcome = "confirmed" if true else "refuted"
    support = (0.0 if true else 1.0,) * len(FACTORS)
    against = (1.0 if true else 0.0,) * len(FACTORS)
    return Part(text, "so", (outcome,) * len(FACTORS), support, against, panel=panel)


def left_open(part: Part, remark: str) -> Part:
    """The same statement, undecided, whatever its numbers say: `remark` says why."""
    unknown: Outcome = "undecided"
    ones = (1.0,) * len(FACTORS)
    three = (unknown,) * len(FACTORS)
    return dataclasses.replace(part, outcomes=three, support=ones, against=ones, remark=remark)


def check_size(name: str, size: float) -> None:
    """Raises `ValueError` if an effect, bound, tolerance or step is not over 0, or is infinite."""
    if not 0 < size < float("inf"):
        raise ValueError(f"{name} must be over 0 and finite, got {size}.")
