"""Statements judged by an interval: a difference, a bound, a law, what is usual."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Literal, get_args

from numpy.typing import ArrayLike
from scipy import stats

from experiments.engine._estimate import Estimate, mean
from experiments.engine._part import FACTORS, SIGNIFICANT, Outcome, Part, check_size, left_open
from experiments.engine._shares import share

Side = Literal["up", "down"]
NO_EVIDENCE = "no evidence, but a metric at a bound or nothing random"
SETTINGS = 12  # fewer do not show what is usual
Rule = Callable[[Estimate, float], tuple[Outcome, float, float]]


def paired(
    text: str, values: ArrayLike | Estimate, *, effect: float, claimed: Side, panel: str = ""
) -> Part:
    """Judges paired differences, one a seed, of which the claim says on which side of 0 they lie.

    With [L, U] the 95 % interval on the claimed side, in this order: within the smallest effect
    that matters it is *no difference*; L > 0 is *confirmed*; U under that effect is *refuted*; else
    *undecided*, and so where Student's t and the exact sign-flip test disagree about 0.

    Args:
        text: what was measured.
        values: the differences, shape [n], or an estimate.
        effect: the smallest effect that matters, above 0, in the metric's unit.
        claimed: "up" if the claim says that they are above 0, "down" if below.
        panel: letter of the picture's panel.

    Raises:
        ValueError: `effect` is not over 0, or `claimed` neither "up" nor "down".
    """
    check_size("effect", effect)
    _check_side(claimed)
    up = claimed == "up"

    def rule(found: Estimate, effect: float) -> tuple[Outcome, float, float]:
        low, high = (found.low, found.high) if up else (-found.high, -found.low)
        support = found.above(0.0) if up else found.below(0.0)
        against = found.below(effect) if up else found.above(-effect)
        if found.p is not None:
            apart = low > 0 or high < 0
            if apart != (found.p <= SIGNIFICANT):
                return "undecided", max(support, found.p), max(against, found.p)
            support = max(support, found.p)
        if -effect < low and high < effect:
            return "no difference", support, max(found.above(-effect), found.below(effect))
        outcome = "confirmed" if low > 0 else "refuted" if high < effect else "undecided"
        return outcome, support, against

    sign = "over" if up else "under"
    return _judged(text, f"{sign} 0, at least {effect:g}", values, rule, _scaled(effect), panel)


def under(text: str, values: ArrayLike | Estimate, bound: float, *, panel: str = "") -> Part:
    """Judges a claimed bound: confirmed if the interval lies below, refuted if above.

    Raises:
        ValueError: `bound` is not finite.
    """
    _check_finite("bound", bound)
    return _judged(text, f"under {bound:g}", values, _under, _scaled(bound), panel)


def over(text: str, values: ArrayLike | Estimate, bound: float, *, panel: str = "") -> Part:
    """Judges a claimed bound: confirmed if the interval lies above, refuted if below.

    Raises:
        ValueError: `bound` is not finite.
    """
    _check_finite("bound", bound)
    return _judged(text, f"over {bound:g}", values, _over, _scaled(bound), panel)


def _under(found: Estimate, bound: float) -> tuple[Outcome, float, float]:
    outcome = "confirmed" if found.high < bound else "refuted" if found.low > bound else "undecided"
    return outcome, found.below(bound), found.above(bound)


def _over(found: Estimate, bound: float) -> tuple[Outcome, float, float]:
    outcome = "confirmed" if found.low > bound else "refuted" if found.high < bound else "undecided"
    return outcome, found.above(bound), found.below(bound)


def proportion(
    text: str, successes: int, n: int, *, bound: float, claimed: Side, panel: str = ""
) -> Part:
    """Judges a share of independent trials by Clopper and Pearson's exact interval.

    Half and twice a bound means half and twice its odds, so that it stays a share.

    Raises:
        ValueError: `bound` is not between 0 and 1, or `claimed` neither "up" nor "down".
    """
    _check_side(claimed)
    if not 0 < bound < 1:
        raise ValueError(f"bound must be between 0 and 1, got {bound}.")
    rule, sign = (_over, "over") if claimed == "up" else (_under, "under")
    odds = [factor * bound / (1 - bound) for factor in FACTORS]
    bounds = [odd / (1 + odd) for odd in odds]
    return _judged(text, f"{sign} {bound:g}", share(successes, n), rule, bounds, panel)


def equivalent(
    text: str, values: ArrayLike | Estimate, *, within: float, target: float = 0.0, panel: str = ""
) -> Part:
    """Judges "equal": confirmed if the interval lies inside `target` ± `within`, refuted beyond.

    Raises:
        ValueError: `within` is not over 0, or `target` not finite.
    """
    check_size("within", within)
    _check_finite("target", target)

    rule = functools.partial(_inside, target=target)
    return _judged(text, f"{target:g} ± {within:g}", values, rule, _scaled(within), panel)


def _inside(found: Estimate, within: float, *, target: float) -> tuple[Outcome, float, float]:
    least, most = target - within, target + within
    inside = max(found.above(least), found.below(most))
    beyond = min(found.below(least), found.above(most))
    if least < found.low and found.high < most:
        return "confirmed", inside, beyond
    outside = found.high < least or found.low > most
    return ("refuted" if outside else "undecided"), inside, beyond


def tolerance(
    text: str, points: Sequence[Estimate], *, within: float, target: float = 0.0, panel: str = ""
) -> Part:
    """Judges a law at every listed point: confirmed if all lie inside `target` ± `within`.

    Refuted by one whose whole interval lies beyond, else undecided. The p-value against it is
    corrected for the number of points, any of which could do so. Printed is the farthest point of
    those that decided.

    Raises:
        ValueError: there is no point, `within` is not over 0, or `target` not finite.
    """
    check_size("within", within)
    _check_finite("target", target)
    if not points:
        raise ValueError("a law needs one or more points, got none.")
    rows = [[_inside(p, scale, target=target) for p in points] for scale in _scaled(within)]
    found, support, against = zip(*(zip(*row, strict=True) for row in rows), strict=True)
    outcomes = tuple(_of_all(set(row)) for row in found)
    decided = [point for point, own in zip(points, found[0], strict=True) if own == outcomes[0]]
    worst = max(decided, key=lambda point: abs(point.value - target))
    saturated = next((point.saturated for point in points if point.saturated), "")
    random = worst.n is not None and not worst.saturated
    sizes = [point.n for point in points if point.n is not None]
    several = f", the worst of {len(points)} points" if len(points) > 1 else ""
    return Part(
        text + several,
        f"{target:g} ± {within:g}",
        outcomes,
        tuple(map(max, support)),
        tuple(min(1.0, len(points) * min(p)) for p in against),
        worst.value,
        worst.low if random else None,
        worst.high if random else None,
        min(sizes) if sizes else None,
        panel=panel,
        remark=f"{saturated}: {NO_EVIDENCE}" if saturated else "",
        sizes=(within,),
    )


def _of_all(outcomes: set[Outcome]) -> Outcome:
    if "refuted" in outcomes:
        return "refuted"
    return "confirmed" if outcomes == {"confirmed"} else "undecided"


def usually(
    text: str,
    settings: Sequence[Estimate],
    *,
    effect: float,
    claimed: Side,
    usual: float = 0.5,
    panel: str = "",
) -> Part:
    """Judges what is said to be usual: the share of settings where the effect is large enough.

    A setting counts for the claim if its whole interval reaches the smallest effect that matters
    ("up") or stays under it ("down"), and against it if none of the interval does. Those that
    straddle are counted once for it and once against it: verdicts that differ are undecided, and
    `p` is the larger one.

    Args:
        text: what was measured.
        settings: the mean effect in each of 12 or more settings (data and model).
        effect: the smallest effect that matters; for a regret, the most that may be lost.
        claimed: "up" if settings above `effect` count for the claim, "down" if those below it do.
        usual: the share that it must exceed.
        panel: letter of the picture's panel.

    Raises:
        ValueError: there are fewer than 12 settings, `effect` is not over 0, `usual` not between 0
            and 1, or `claimed` neither "up" nor "down".
    """
    check_size("effect", effect)
    _check_side(claimed)
    if not 0 < usual < 1:
        raise ValueError(f"usual must be between 0 and 1, got {usual}.")
    if len(settings) < SETTINGS:
        raise ValueError(f"what is usual needs {SETTINGS} settings, got {len(settings)}.")

    def counts(effect: float) -> tuple[int, int]:
        up = claimed == "up"
        sure = sum(s.low >= effect if up else s.high < effect for s in settings)
        never = sum(s.high < effect if up else s.low >= effect for s in settings)
        return sure, len(settings) - never

    rows = []
    for factor in FACTORS:
        fewest, most = (share(k, len(settings)) for k in counts(factor * effect))
        outcome: Outcome = (
            "confirmed" if fewest.low > usual else "refuted" if most.high < usual else "undecided"
        )
        rows.append((outcome, fewest.above(usual), most.below(usual), fewest, most))
    outcomes, support, against, fewest, most = zip(*rows, strict=True)
    n, (least, greatest) = len(settings), counts(effect)
    sign = "over" if claimed == "up" else "under"
    return Part(
        f"share of {len(settings)} settings with {text} {sign} {effect:g}",
        f"over {usual:g}",
        outcomes,
        support,
        against,
        (least + greatest) / 2 / n,
        fewest[0].low,
        most[0].high,
        n,
        max(float(stats.binomtest(k, n, usual).pvalue) for k in range(least, greatest + 1)),
        panel,
        sizes=(effect,),
    )


def _check_finite(name: str, value: float) -> None:
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}.")


def _check_side(claimed: str) -> None:
    if claimed not in get_args(Side):
        raise ValueError(f"claimed must be one of {get_args(Side)}, got {claimed!r}.")


def _scaled(effect: float) -> list[float]:
    return [factor * effect for factor in FACTORS]


def _judged(
    text: str,
    claimed: str,
    values: ArrayLike | Estimate,
    rule: Rule,
    scales: Sequence[float],
    panel: str,
) -> Part:
    found = values if isinstance(values, Estimate) else mean(values)
    if found.saturated:
        part = Part(text, claimed, (), (), (), panel=panel, sizes=(scales[0],))
        return left_open(part, f"{found.saturated}: {NO_EVIDENCE}")
    outcomes, support, against = zip(*(rule(found, scale) for scale in scales), strict=True)
    random = found.n is not None
    return Part(
        text,
        claimed,
        outcomes,
        support,
        against,
        found.value,
        found.low if random else None,
        found.high if random else None,
        found.n,
        found.p,
        panel,
        sizes=(scales[0],),
    )
