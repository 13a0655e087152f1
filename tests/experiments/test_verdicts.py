"""The rules by which parts and verdicts are judged, each by the rule's own words."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from experiments.engine import (
    Gate,
    Plan,
    Verdict,
    all_of,
    convention,
    demonstration,
    equivalent,
    exactly,
    exists,
    holds,
    mean,
    not_testable,
    over,
    paired,
    part_of,
    proportion,
    share,
    tolerance,
    under,
    usually,
)
from experiments.engine._estimate import Estimate
from experiments.engine._judged import stands
from experiments.engine._part import Part
from experiments.engine._plan import frozen
from experiments.engine._sentences import (
    decisive,
    finding,
    gate_sentence,
    part_sentence,
    sensitivity_sentence,
)
from experiments.engine._verdict import follows

SPREAD = np.array([-0.9, -0.5, -0.3, -0.1, 0.0, 0.05, 0.15, 0.3, 0.5, 0.8])  # half width 0.36


def between(low, high, n=20):
    """An estimate with that interval; its p-values are those of a step at the ends."""
    middle = (low + high) / 2
    return Estimate(
        middle,
        low,
        high,
        n,
        lambda bound: 0.001 if high < bound else 1.0,
        lambda bound: 0.001 if low > bound else 1.0,
    )


@pytest.mark.parametrize(
    "low, high, outcome",
    [
        (-0.5, 0.9, "no difference"),  # within ± 1, first
        (0.1, 0.9, "no difference"),  # though above 0
        (0.1, 1.5, "confirmed"),
        (-3.0, -0.1, "refuted"),
        (-3.0, 0.5, "refuted"),  # too small to matter, at best
        (-0.5, 1.5, "undecided"),
        (-3.0, 1.5, "undecided"),
    ],
)
def test_differences_are_judged_in_the_protocol_s_order(low, high, outcome):
    assert paired("x", between(low, high), effect=1.0, claimed="up").outcome == outcome
    assert paired("x", between(-high, -low), effect=1.0, claimed="down").outcome == outcome


def test_two_tests_that_disagree_about_zero_decide_nothing():
    """Of five equal signs the exact p is 1/16, whatever Student's t says."""
    part = paired("x", [1.0, 1.1, 0.9, 1.0, 1.2], effect=0.1, claimed="up")
    assert part.low > 0 and part.p == 0.0625 and part.outcome == "undecided"
    more = paired("x", [1.0, 1.1, 0.9, 1.0, 1.2, 1.05], effect=0.1, claimed="up")
    assert more.p == 0.03125 and more.outcome == "confirmed"


@pytest.mark.parametrize(
    "judge, words",
    [
        (lambda: paired("x", SPREAD, effect=0.1, claimed="UP"), "claimed must be one of"),
        (lambda: proportion("x", 1, 2, bound=0.5, claimed="over"), "claimed must be one of"),
        (lambda: usually("x", [exactly(1)] * 12, effect=1, claimed="Up"), "claimed must be one of"),
        (lambda: usually("x", [exactly(1)] * 12, effect=1, claimed="up", usual=1.5), "got 1.5"),
        (lambda: paired("x", SPREAD, effect=0.0, claimed="up"), "over 0 and finite, got 0.0"),
        (lambda: paired("x", SPREAD, effect=np.nan, claimed="up"), "over 0 and finite, got nan"),
        (lambda: equivalent("x", SPREAD, within=-1.0), "within must be over 0"),
        (lambda: tolerance("x", [exactly(0)], within=-1.0), "within must be over 0"),
        (lambda: usually("x", [exactly(1)] * 12, effect=0, claimed="up"), "effect must be over 0"),
        (lambda: under("x", SPREAD, np.nan), "bound must be finite, got nan"),
        (lambda: equivalent("x", SPREAD, within=1.0, target=np.nan), "target must be finite"),
        (lambda: tolerance("x", [exactly(0)], within=1.0, target=np.inf), "target must be finite"),
        (lambda: holds("it runs", np.nan), "'it runs' must be true or false, got nan"),
        (lambda: Gate("pos", "no", "?"), "control pos: passed must be a bool, got 'no'"),
        (lambda: part_of([], "any"), "'any' of 0 statements"),
        (lambda: part_of([holds("x", True)], "anyy"), "'anyy' of 1 statements"),
    ],
)
def test_bad_arguments_are_named(judge, words):
    with pytest.raises(ValueError, match=words):
        judge()


def test_no_variance_is_no_evidence():
    part = paired("x", [1.0] * 20, effect=0.1, claimed="up")
    assert part.outcome == "undecided" and part.low is None and "no evidence" in part.remark
    assert equivalent("x", [0.0] * 20, within=0.1).outcome == "undecided"
    law = tolerance("x", [mean([1.0, 1.0]), mean(SPREAD + 1)], within=9.0, target=1.0)
    assert law.outcome == "undecided" and "all 2 values are 1" in law.remark


@pytest.mark.parametrize(
    "judge", [lambda e: equivalent("x", e, within=1.0), lambda e: under("x", e, 1.0)]
)
def test_an_absence_needs_the_whole_interval(judge):
    assert judge(between(-0.9, 0.9)).outcome == "confirmed"
    assert judge(between(0.9, 1.1)).outcome == "undecided"
    assert judge(between(1.1, 1.2)).outcome == "refuted"


def test_bounds_and_shares():
    assert over("x", between(2, 3), 1.0).outcome == "confirmed"
    assert proportion("x", 20, 20, bound=0.5, claimed="up").outcome == "confirmed"
    assert proportion("x", 1, 20, bound=0.5, claimed="up").outcome == "refuted"
    assert proportion("x", 10, 20, bound=0.5, claimed="down").outcome == "undecided"
    with pytest.raises(ValueError, match="between 0 and 1, got 50"):
        proportion("x", 1, 2, bound=50, claimed="up")


@pytest.mark.parametrize(
    "points, outcome",
    [
        ([exactly(1.0), exactly(1.09)], "confirmed"),
        ([exactly(1.0), exactly(1.11)], "refuted"),
        ([exactly(1.0), between(1.0, 1.2)], "undecided"),
        ([exactly(1.2), between(1.0, 1.2)], "refuted"),
    ],
)
def test_a_law_falls_with_one_point(points, outcome):
    assert tolerance("x", points, within=0.1, target=1.0).outcome == outcome


def test_a_law_prints_the_point_that_decided():
    wide, near, far = between(0.8, 1.5), between(1.2, 1.24), between(1.3, 1.4)
    refuted = tolerance("x", [wide, near, exactly(1.0)], within=0.1, target=1.0)
    assert (refuted.outcome, refuted.estimate) == ("refuted", 1.22)
    assert tolerance("x", [near, far], within=0.1, target=1.0).estimate == pytest.approx(1.35)
    open_ = tolerance("x", [exactly(1.09), between(1.0, 1.12)], within=0.1, target=1.0)
    assert (open_.outcome, open_.estimate) == ("undecided", 1.06)


def test_any_of_many_points_may_seem_to_break_a_law():
    """So the p-value against it is that of the surest one, times their number."""
    points = [between(1.2, 1.3)] + [exactly(1.0)] * 9
    assert tolerance("x", points, within=0.1, target=1.0).against[0] == pytest.approx(0.01)
    assert all_of("C-008", [tolerance("x", points, within=0.1, target=1.0)], scope="toy").p == 0.01
    many = tolerance("x", points * 6, within=0.1, target=1.0)
    assert many.outcome == "refuted"
    assert all_of("C-008", [many], scope="toy").outcome == "undecided"  # 60 · 0.001 is over 5 %


def test_a_law_has_a_p_value_if_one_point_is_random():
    part = tolerance("law", [exactly(0.9), between(-0.1, 0.1)], within=1.0)
    assert (part.estimate, part.low, part.n) == (0.9, None, 20)
    assert all_of("C-008", [part], scope="toy").p == 0.001


def test_no_difference_of_every_part_is_as_sure_as_the_least_sure():
    parts = [made("no difference", 0.04)] * 3
    assert (all_of("C-008", parts, scope="toy").outcome, parts[0].n) == ("no difference", 20)
    assert all_of("C-008", parts, scope="toy").p == 0.04


def test_a_law_needs_a_point():
    with pytest.raises(ValueError, match="one or more points"):
        tolerance("x", [], within=0.1)


@pytest.mark.parametrize(
    "above, of, outcome",
    [(10, 12, "confirmed"), (9, 12, "undecided"), (15, 20, "confirmed"), (14, 20, "undecided"),
     (2, 12, "refuted"), (3, 12, "undecided"), (5, 20, "refuted")],
)  # fmt: skip
def test_usually_is_more_than_half_of_the_settings(above, of, outcome):
    settings = [between(1.1, 1.2)] * above + [between(0.1, 0.2)] * (of - above)
    assert usually("gain", settings, effect=1.0, claimed="up").outcome == outcome
    lost = [between(0.1, 0.2)] * above + [between(1.1, 1.2)] * (of - above)
    assert usually("loss", lost, effect=1.0, claimed="down").outcome == outcome


def test_a_setting_that_straddles_counts_both_ways():
    settings = [between(1.1, 1.2)] * 9 + [between(0.9, 1.1)] + [between(0.1, 0.2)] * 2
    part = usually("gain", settings, effect=1.0, claimed="up")
    assert part.outcome == "undecided"
    assert part.p == pytest.approx(2 * sum(stats.binom.pmf(k, 12, 0.5) for k in range(4)))  # of 9
    with pytest.raises(ValueError, match="needs 12 settings, got 11"):
        usually("gain", settings[:11], effect=1.0, claimed="up")


def test_a_gain_reaches_the_effect_and_a_loss_stays_under_it():
    settings = [exactly(1.0)] * 12
    assert usually("gain", settings, effect=1.0, claimed="up").outcome == "confirmed"
    assert usually("loss", settings, effect=1.0, claimed="down").outcome == "refuted"


def test_half_and_twice_the_smallest_effect_are_judged_besides():
    part = paired("x", between(0.1, 1.5), effect=1.0, claimed="up")
    assert part.outcomes == ("confirmed", "confirmed", "no difference")
    verdict = all_of("C-008", [part], scope="toy")
    assert verdict.depends
    assert sensitivity_sentence(verdict) == "depends on δ: no difference at twice"
    assert finding(verdict).startswith("C-008 confirmed, depends on δ: x: 0.8")
    both = all_of("C-008", [holds("it runs", True), part], scope="toy")
    alike = dataclasses.replace(part, support=(0.0,) * 3)
    assert decisive(dataclasses.replace(both, parts=(both.parts[0], alike))) is alike
    sure = all_of("C-008", [paired("x", between(5, 6), effect=1.0, claimed="up")], scope="toy")
    assert not sure.depends and sensitivity_sentence(sure) == ""


def test_half_and_twice_a_share_are_its_odds():
    part = proportion("x", 60, 100, bound=0.5, claimed="up")
    assert part.outcomes == ("undecided", "confirmed", "undecided")  # 1/2, 1/3, 2/3


def made(outcome, p=0.001):
    """A part of that outcome, as surely as `p` says."""
    for_, against = (p, 1.0) if outcome == "confirmed" else (1.0, p)
    if outcome == "undecided":
        against = 0.5
    return Part(outcome, "so", (outcome,) * 3, (for_,) * 3, (against,) * 3, 1.0, 0.5, 1.5, 20)


C, R, N, U = map(made, ("confirmed", "refuted", "no difference", "undecided"))


@pytest.mark.parametrize(
    "parts, every, one",
    [
        ([C], "confirmed", "confirmed"),
        ([C, C], "confirmed", "confirmed"),
        ([C, R], "refuted", "confirmed"),
        ([C, N], "refuted", "confirmed"),
        ([C, U], "undecided", "confirmed"),
        ([R, U], "refuted", "undecided"),
        ([U, U], "undecided", "undecided"),
        ([R, N], "refuted", "refuted"),
        ([N, N], "no difference", "no difference"),
        ([C, made("refuted", 0.03)], "undecided", "confirmed"),  # 2 · 0.03 is over 5 %
        ([made("confirmed", 0.03), U], "undecided", "undecided"),
        ([made("confirmed", 0.03)] * 2, "confirmed", "undecided"),
    ],
)
def test_all_and_any_with_holm_s_correction(parts, every, one):
    assert all_of("C-008", parts, scope="toy").outcome == every
    assert exists("C-017", parts, scope="toy").outcome == one
    assert part_of(parts, "all").outcome == every and part_of(parts, "any").outcome == one


def test_something_exists_in_eight_listed_settings_at_most():
    with pytest.raises(ValueError, match="at most 8 settings may be listed, got 9"):
        exists("C-017", [C] * 9, scope="toy")
    with pytest.raises(ValueError, match="C-017: a verdict needs one or more parts"):
        exists("C-017", [], scope="toy")


def test_a_control_that_fails_decides_nothing():
    gates = [Gate("pos", True, "found"), Gate("conv", False, "moved by 2 points")]
    verdict = all_of("C-008", [C], scope="toy", gates=gates)
    assert verdict.outcome == "undecided" and verdict.sensitivity == ("undecided",) * 2
    assert verdict.p == 1.0
    assert "conv FAILED: moved by 2 points" in finding(verdict)


def test_what_the_design_keeps_is_no_control_that_passed():
    kept = Gate("nest", None, "rates chosen on other seeds")
    verdict = all_of("C-008", [C], scope="toy", gates=[kept])
    assert verdict.outcome == "confirmed"
    assert gate_sentence(kept) == "control nest is kept by the design: rates chosen on other seeds"
    failed = all_of("C-008", [C], scope="toy", gates=[kept, Gate("pos", np.False_, "lost")])
    assert failed.outcome == "undecided" and failed.gates[1].passed is False


def test_an_outcome_follows_from_its_parts_and_controls():
    verdict = all_of("C-008", [C, U], scope="toy", gates=[Gate("pos", True, "found")])
    assert follows(verdict)
    assert not follows(dataclasses.replace(verdict, outcome="confirmed"))
    assert not follows(dataclasses.replace(verdict, parts=(C,)))
    assert follows(not_testable("C-051", "a report of usage"))
    assert not follows(Verdict("C-008", "confirmed", scope="toy", reason="so it is"))


def test_the_p_value_is_the_one_that_the_outcome_rests_on():
    assert all_of("C-008", [C, made("confirmed", 0.02)], scope="toy").p == 0.02
    assert all_of("C-008", [C, R], scope="toy").p == 0.002
    assert exists("C-017", [C, U], scope="toy").p == 0.002
    assert all_of("C-007", [holds("it runs", True)], scope="toy").p is None


def test_what_is_not_testable_has_a_reason_and_no_part():
    verdict = not_testable("C-051", "a report of usage", ["loss 1 at step 2"])
    assert (verdict.outcome, verdict.parts) == ("not testable", ())
    assert finding(verdict) == "C-051 not testable: a report of usage"


def test_an_erratum_is_a_demonstration():
    assert demonstration("E-01", True, "it climbs").outcome == "confirmed"
    assert demonstration("E-01", False, "it climbs").outcome == "refuted"


def test_sentences_come_from_the_parts():
    part = paired("loss over the other's", SPREAD + 2, effect=0.1, claimed="up", panel="b")
    assert part_sentence(part).startswith("b: loss over the other's: 2 [1.6")
    assert part_sentence(part).endswith("n = 10, exact p = 0.002): confirmed")
    verdict = all_of("C-008", [made("confirmed"), part], scope="toy")
    assert decisive(verdict) is part  # the weakest of those that hold
    assert finding(verdict).startswith("C-008 confirmed (all of 2 parts): loss over the other's")
    assert decisive(all_of("C-008", [C, R], scope="toy")) is R
    assert decisive(exists("C-017", [U, C], scope="toy")) is C
    assert decisive(all_of("C-008", [C, U], scope="toy")) is U


def test_the_mean_of_a_share_and_its_p_value_agree_with_the_outcome():
    assert under("x", share(0, 100), 0.05).support[0] == pytest.approx(2 * 0.95**100)


@dataclasses.dataclass(frozen=True)
class Config:
    seeds: int = 20


@pytest.mark.parametrize(
    "change",
    [
        lambda claim, plan, config: ("C-024", plan, config),
        lambda claim, plan, config: (claim, dataclasses.replace(plan, gates=("pos",)), config),
        lambda claim, plan, config: (claim, dataclasses.replace(plan, effects={"x": 2}), config),
        lambda claim, plan, config: (claim, plan, Config(21)),
    ],
)
def test_the_hash_knows_row_plan_and_configuration(change):
    fixed = ("C-008", Plan({"x": 1.0}), Config())
    assert frozen(*fixed) == frozen("C-008", Plan({"x": 1.0}), Config())
    assert frozen(*change(*fixed))["sha256"] != frozen(*fixed)["sha256"]


def test_what_stands_without_a_plan():
    """Of errata: demonstrations and conventions. A claim without one is still to be judged."""
    shown = demonstration("E-05", True, "the printed form fails")
    assert stands(shown, ()) and stands(convention("E-34", "two forms"), ())
    assert not stands(dataclasses.replace(shown, outcome="refuted"), ())
    assert not stands(dataclasses.replace(shown, p=0.01), ())
    assert not stands(Verdict("E-34", "confirmed", beside=("two forms",)), ())
    claim = all_of("C-008", [C], scope="toy")
    assert stands(claim, {"C-008"}) and not stands(claim, ())
    assert not stands(dataclasses.replace(shown, subject="C-008"), ())
    assert stands(Verdict("C-008", "to be judged anew"), ())
    assert not stands(Verdict("C-008", "to be judged anew"), {"C-008"})
