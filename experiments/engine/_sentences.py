"""Sentences about verdicts, made from their parts: none is typed anywhere."""

from experiments.engine._part import FACTORS, Part
from experiments.engine._verdict import FAILED, Gate, Verdict

NAMES = dict(zip(FACTORS[1:], ("half", "twice"), strict=True))


def part_sentence(part: Part) -> str:
    """What was measured, the number with its interval, what is claimed of it, and the outcome."""
    words = part.measured
    about = [] if part.claimed == "so" else [f"claimed {part.claimed}"]
    about += [f"n = {part.n}"] if part.n is not None else []
    about += [f"exact p {p_value(part.p)}"] if part.p is not None else []
    if about:
        words += f" ({', '.join(about)})"
    panel = f"{part.panel}: " if part.panel else ""
    remark = f", {part.remark}" if part.remark else ""
    return f"{panel}{words}: {part.outcome}{remark}"


def gate_sentence(gate: Gate) -> str:
    words = {True: "passed", False: "FAILED", None: "is kept by the design"}
    return f"control {gate.name} {words[gate.passed]}: {gate.text}"


def p_value(p: float) -> str:
    return f"= {p:.2g}" if p >= 1e-4 else "< 0.0001"


def sensitivity_sentence(verdict: Verdict) -> str:
    """Which smallest effects would have changed the outcome; empty if none."""
    changed = [
        f"{outcome} at {NAMES[factor]}"
        for factor, outcome in zip(FACTORS[1:], verdict.sensitivity, strict=False)
        if outcome != verdict.outcome
    ]
    return f"depends on δ: {', '.join(changed)}" if changed else ""


def decisive(verdict: Verdict) -> Part:
    """The part that decided: the weakest of those that must all hold, or the strongest of any.

    Of equals the one that half or twice the smallest effect would change.
    """
    parts = verdict.parts
    if verdict.outcome in FAILED:
        failed = [part for part in parts if part.outcome in FAILED]
        least = min if verdict.together == "all" else max
        return least(failed or parts, key=lambda part: part.against[0])
    if verdict.outcome == "undecided" and verdict.together == "all":
        open_ = [part for part in parts if part.outcome != "confirmed"]
        return (open_ or list(parts))[0]
    strongest = max if verdict.together == "all" else min
    fragile = sorted(parts, key=lambda part: len(set(part.outcomes)), reverse=True)
    return strongest(fragile, key=lambda part: part.support[0])


def finding(verdict: Verdict) -> str:
    """One sentence: the outcome, and the number of the part that decided."""
    failed = [gate for gate in verdict.gates if gate.passed is False]
    if verdict.reason:
        return f"{verdict.subject} {verdict.outcome}: {verdict.reason}"
    if verdict.outcome == "undecided" and failed:
        return f"{verdict.subject} undecided: {gate_sentence(failed[0])}"
    if not verdict.parts:
        told = verdict.outcome == "convention"  # what was measured before the protocol is not
        return f"{verdict.subject} {verdict.outcome}" + f": {'; '.join(verdict.beside)}" * told
    part = decisive(verdict)
    words = part.measured + f", claimed {part.claimed}" * (part.estimate is not None)
    words += f" (panel {part.panel})" if part.panel else ""
    several = f" ({verdict.together} of {len(verdict.parts)} parts)" * (len(verdict.parts) > 1)
    depends = ", depends on δ" * verdict.depends
    return f"{verdict.subject} {verdict.outcome}{depends}{several}: {words}"


def verdict_lines(verdict: Verdict) -> list[str]:
    """One line a part, then the controls, what was measured besides, and why it was not judged."""
    return [
        *map(part_sentence, verdict.parts),
        *map(gate_sentence, verdict.gates),
        *verdict.beside,
        *([verdict.reason] if verdict.reason else []),
    ]
