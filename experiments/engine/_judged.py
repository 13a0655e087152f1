"""The verdicts of a script, each as its plan has it."""

import math
from collections.abc import Container, Iterable
from typing import Any

from experiments import catalogue
from experiments.engine._plan import Plan
from experiments.engine._script import Script
from experiments.engine._verdict import Verdict, follows
from experiments.engine.before import Verdict as Before
from experiments.engine.before import as_verdict

ANEW = "to be judged anew"


def judged(script: Script, results: dict[str, Any]) -> list[Verdict]:
    """The script's verdicts; a claim without a plan is shown as measured before the protocol.

    Raises:
        ValueError: the script judges other claims, errata or published results than it owns, a
            claim without its plan, without a scope, with other controls or smallest effects than
            the plan has, or with an outcome that its parts and controls do not give.
        TypeError: `judge` returns no list of verdicts.
    """
    found = script.module.judge(results)
    if not isinstance(found, list) or not all(isinstance(v, Verdict | Before) for v in found):
        raise TypeError(f"{script.name}: judge must return a list of verdicts, got {found!r}.")
    owned = [*script.claims, *script.errata, *script.references]
    if sorted(verdict.subject for verdict in found) != sorted(owned):
        subjects = [verdict.subject for verdict in found]
        raise ValueError(f"{script.name} owns {owned} but judged {subjects}.")
    verdicts = []
    for verdict in found:
        claim = verdict.subject in script.claims
        if isinstance(verdict, Before):
            verdict = as_verdict(verdict, claim=claim)
        plan = script.plans.get(verdict.subject)
        if claim and (plan is None) != (verdict.outcome == ANEW):
            raise ValueError(
                f"{verdict.subject} is {verdict.outcome}, and its plan is {plan}: a claim is "
                "judged if, and only if, PLANS has it."
            )
        if plan is not None:
            _check_planned(verdict, plan)
        verdicts.append(verdict)
    return verdicts


def stands(verdict: Verdict, plans: Container[str]) -> bool:
    """Whether a record's verdict is one that `judged` gives, with the plans of the record.

    Its outcome follows from its parts and controls. A claim without a plan is none yet; an erratum
    without one may be a demonstration, whose one part says it, or a convention.
    """
    if verdict.subject not in plans and verdict.subject in catalogue.claims():
        return verdict.outcome == ANEW and not verdict.parts
    if verdict.subject in plans or follows(verdict):
        return follows(verdict)
    bare = not (verdict.gates or verdict.sensitivity) and verdict.p is None
    outcomes = [part.outcome for part in verdict.parts] or ["convention"]
    return bare and outcomes == [verdict.outcome]


def _check_planned(verdict: Verdict, plan: Plan) -> None:
    gates = tuple(gate.name for gate in verdict.gates)
    if verdict.parts and (gates != plan.gates or not verdict.scope):
        raise ValueError(
            f"{verdict.subject} needs a scope and the controls {plan.gates}, got "
            f"{verdict.scope!r} and {gates}."
        )
    for part in verdict.parts:
        for size in part.sizes:
            if not _planned(size, plan.effects.values()):
                raise ValueError(
                    f"{verdict.subject}: {part.text!r} is judged by {size:g}, which is none of the "
                    f"plan's effects {dict(plan.effects)}."
                )
    if not follows(verdict):
        raise ValueError(f"{verdict.subject}: its parts and controls do not give the outcome.")


def _planned(size: float, effects: Iterable[float]) -> bool:
    """Whether it is an effect of the plan, its log10, or 0: a bound that is only a direction."""
    logs = [math.log10(effect) for effect in effects if effect > 0]
    return any(math.isclose(size, one, rel_tol=1e-6) for one in [0.0, *effects, *logs])
