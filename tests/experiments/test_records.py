"""The committed records: judged again from their JSON they say the same, and they do not clash."""

import dataclasses
import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import catalogue
from experiments.engine._freeze import COMMITTED, record_path
from experiments.engine._judged import judged
from experiments.engine._plan import frozen
from experiments.engine._results import read_record, read_verdict, to_json
from experiments.engine._script import find_scripts
from experiments.gradient_descent import (
    do_unscaled_features_cause_zigzag,
    does_it_zigzag_in_a_valley,
)
from experiments.momentum import _zigzag

RECORDED = [script for script in find_scripts() if record_path(script, COMMITTED).exists()]
RECORDS = [pytest.param(script, id=script.name) for script in RECORDED]
PLANNED = [
    pytest.param(claim, plan, id=claim)
    for script in find_scripts()
    for claim, plan in script.plans.items()
]
# The numbers that open a clause of a row's δ, as in "0.3: twice the time; slope 0.1: 1.3× per ..."
EFFECT = r"(?:^|; |± )(?:[a-z]+ )?(−?[\d.]+(?:e-?\d+)?(?: %)?|½|half)(?=[ :;°,]|$)"
OTHER_UNITS = {
    ("C-025", "half"): 1.0,  # one halving
    ("C-033", "10 %"): np.log10(1.1),
    ("C-068", "5 %"): 5.0,  # in percent
    ("C-092", "0.9"): 0.1,  # the rest of it
    ("C-089", "1"): 0.001,  # all units alike: one, counted; judged by the loss around ln C
}
CONFIRMED, ANEW = "confirmed", "to be judged anew"


@pytest.fixture(scope="module")
def outcomes():
    """Of all claims and errata that are judged, by id."""
    found = {}
    for (script,) in (parameter.values for parameter in RECORDS):
        for row in read_record(record_path(script, COMMITTED))["verdicts"]:
            found[row["subject"]] = row["outcome"]
    return {subject: outcome for subject, outcome in found.items() if outcome != ANEW}


@pytest.mark.parametrize("script", RECORDS)
def test_a_record_judged_again_says_the_same(script):
    record = read_record(record_path(script, COMMITTED))
    again = [to_json(dataclasses.asdict(v)) for v in judged(script, record["results"])]
    assert again == record["verdicts"]


@pytest.mark.parametrize("script", RECORDS)
def test_a_record_stays_small(script):
    assert record_path(script, COMMITTED).stat().st_size < 500_000


@pytest.mark.parametrize("script", RECORDS)
def test_a_record_says_how_it_was_run_and_judged(script):
    """The configuration that was hashed, the data that the results name, the rule as it stands."""
    record = read_record(record_path(script, COMMITTED))
    assert record["config"] == to_json(dataclasses.asdict(script.config(record["preset"])))
    assert record["data_set"] == record["results"].get("data_set", "analytic")
    assert record["rule"] == script.rule, "judge was changed: --redraw --out paper_figs"


@pytest.mark.parametrize("script", RECORDS)
def test_a_study_of_hours_goes_on_after_a_kill(script):
    takes_trials = "trials" in inspect.signature(script.module.run).parameters
    assert script.tier < 3 or takes_trials


def test_all_scripts_but_the_long_studies_take_under_two_and_a_half_hours():
    """On two cores, by the records' own seconds; no script of them over ten minutes."""
    quick = [script for script in RECORDED if script.tier < 3]
    records = [read_record(record_path(script, COMMITTED)) for script in quick]
    seconds = [record["wall_seconds"] for record in records]
    assert sum(seconds) < 150 * 60 and max(seconds) < 600


def test_every_record_has_its_script():
    known = {script.stem for script in find_scripts()}
    assert {path.stem for path in COMMITTED.glob("*.json")} <= known


@pytest.mark.parametrize("claim, plan", PLANNED)
def test_a_plan_has_the_effects_and_controls_of_its_row(claim, plan):
    row = catalogue.protocol()[claim]
    controls = set(re.findall(r"\b(pos|sat|conv|fit|nest|edge)\b", row.gate))
    assert controls <= set(plan.gates)
    for printed in re.findall(EFFECT, row.effect):
        value = OTHER_UNITS.get((claim, printed)) or number(printed)
        assert any(np.isclose(value, own) for own in plan.effects.values()), (claim, printed)


@pytest.mark.parametrize("script", RECORDS)
def test_what_was_fixed_before_the_run_is_what_the_script_fixes(script):
    record = read_record(record_path(script, COMMITTED))
    config = script.config(record["preset"])
    assert set(record["plans"]) == set(script.plans)
    for claim, plan in script.plans.items():
        assert record["plans"][claim] == frozen(claim, plan, config), claim


@pytest.mark.parametrize("script", RECORDS)
def test_verdicts_have_as_many_seeds_as_the_protocol_asks_for(script):
    """Settings times seeds where the row has both; the fewest of the parts in which something is
    random."""
    record = read_record(record_path(script, COMMITTED))
    for verdict in map(read_verdict, record["verdicts"]):
        if verdict.subject in record["plans"]:
            asked = re.match(r"\d+", catalogue.protocol()[verdict.subject].n)
            sizes = [part.n for part in verdict.parts if part.n is not None]
            assert not asked or not sizes or min(sizes) >= int(asked[0]), verdict.subject


@pytest.mark.slow
def test_zigzag_is_one_number():
    """R-34: C-007, C-013 and C-025 measure the same index on the same valley, from one start."""
    kappa, key = 30.0, jax.random.key(0)
    with jax.enable_x64(True):
        angle = float(jax.random.uniform(key, maxval=2 * jnp.pi))
        start = np.array([np.cos(angle), np.sin(angle)])
        steep, _ = does_it_zigzag_in_a_valley.detour(
            jnp.array(start), jnp.array(kappa), 1e-6, 10_000
        )
        best = jnp.log2(jnp.array([[2 / (1 + kappa), 1.0]]))
        tuned = float(_zigzag.zigzags(best, key[None], kappa, 10_000, 1e-6)["index"][0, 0])
    table = np.diag(np.sqrt([2.0, 2 * kappa]))  # of two examples: curvatures 1 and kappa
    config = do_unscaled_features_cause_zigzag.Config()
    whole = do_unscaled_features_cause_zigzag.detour(table, -table @ start, config)[0]
    np.testing.assert_allclose([10**tuned, whole], np.asarray(steep), rtol=0.01)


def number(printed):
    """As a plan has it: "5 %" is 0.05."""
    if printed in ("½", "half"):
        return 0.5
    value = float(printed.removesuffix(" %").replace("−", "-"))
    return value / 100 if printed.endswith("%") else value


# what cannot both be so, and what must come out alike
NOT_BOTH = [
    ("C-002", "E-15"), ("C-011", "E-132"), ("C-014", "E-59"), ("C-016", "E-57"),
    ("C-016", "E-129"), ("C-017", "E-57"), ("C-018", "E-63"), ("C-019", "E-65"), ("C-028", "E-70"),
    ("C-043", "E-134"), ("C-144", "E-134"), ("C-045", "E-95"),
    ("C-068", "E-72"), ("C-075", "E-75"), ("C-077", "E-17"), ("C-079", "E-04"), ("C-093", "E-54"),
    ("C-094", "E-56"), ("C-095", "E-55"), ("C-096", "E-55"), ("C-098", "E-07"), ("C-098", "E-08"),
    ("C-112", "E-77"), ("C-115", "E-78"), ("C-120", "E-79"), ("C-122", "E-80"),
]  # fmt: skip
ALIKE = [("C-006", "E-88"), ("C-085", "E-40")]


@pytest.mark.parametrize("claim, erratum", NOT_BOTH)
def test_a_claim_and_its_correction_are_not_both_confirmed(outcomes, claim, erratum):
    assert {claim, erratum} <= {*catalogue.claims(), *catalogue.errata()}
    assert {outcomes.get(claim), outcomes.get(erratum)} != {CONFIRMED}


@pytest.mark.parametrize("claim, erratum", ALIKE)
def test_what_says_the_same_comes_out_alike(outcomes, claim, erratum):
    if claim in outcomes and erratum in outcomes:
        assert outcomes[claim] == outcomes[erratum]


def test_l2_is_called_weight_decay_under_gradient_descent_alone():
    """R-34: C-063 and E-81 clash beyond plain SGD, so that the claim may say nothing of others."""
    (script,) = find_scripts(("C-063",))
    verdicts = read_record(record_path(script, COMMITTED))["verdicts"]
    claim = next(read_verdict(row) for row in verdicts if row["subject"] == "C-063")
    said = " ".join([claim.scope, *(part.text for part in claim.parts)])
    assert "gradient descent" in claim.scope
    assert not re.search("momentum|nesterov|ada|rmsprop", said, re.IGNORECASE)
    assert [gate.passed for gate in claim.gates if gate.name == "differ"] == [True]
