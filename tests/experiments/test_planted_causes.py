"""Runs with something wrong on purpose: what is planted, what is done about it, and its verdict."""

import numpy as np
import pytest

from experiments.tuning import do_curves_tell_what_is_wrong as script
from experiments.tuning._planted import CAUSES, NONE, Setting, act, plant

RIGHT = Setting()


def test_the_rules_are_those_that_were_frozen():
    """Whoever changes a rule of `diagnose` revises the plan, with seeds that were never used."""
    assert script.frozen_rules() == script.COMPUTED


def test_every_cause_is_another_run_and_none_is_the_right_one():
    planted = {cause: plant(cause, 0.5, RIGHT) for cause in (NONE, *CAUSES)}
    assert planted[NONE] == RIGHT
    assert len(set(planted.values())) == 9
    for cause in CAUSES:
        harmless = cause == "overfit"  # its severity is the rate's, in both directions
        worse = plant(cause, 1.0, RIGHT)
        assert harmless or worse != plant(cause, 0.0, RIGHT)


@pytest.mark.parametrize("cause", CAUSES)
def test_each_finding_changes_what_was_planted(cause):
    wrong = plant(cause, 0.5, RIGHT)
    changed = {k for k, v in wrong._asdict().items() if v != getattr(RIGHT, k)}
    acted = act(cause, wrong)
    assert {k for k, v in acted._asdict().items() if v != getattr(wrong, k)}
    if cause != "still falling":  # trained for longer at the low rate
        assert changed & {k for k, v in acted._asdict().items() if v != getattr(wrong, k)}
    assert act(NONE, wrong) == wrong


def results(first, gains, seeds=40):
    """Accuracies of 50 % before, with these gains of each cause after."""
    rng = np.random.default_rng(0)
    before = np.full((9, seeds), 50.0)
    after = before + np.array([0.0, *gains])[:, None] + 0.1 * rng.normal(size=(9, seeds))
    return {
        "first": [[name] * seeds for name in first],
        "accuracies": np.stack([before, after]),
        "rules": script.RULES,
        "data_set": "mnist",
    }


def outcome(*arguments):
    (verdict,) = script.judge(results(*arguments))
    return verdict.outcome


def test_right_diagnoses_that_help_confirm_and_one_that_harms_refutes():
    right = [NONE, *CAUSES]
    assert outcome(right, [2.0] * 8) == "confirmed"
    assert outcome(right, [2.0] * 7 + [-2.0]) == "refuted"
    assert outcome(right, [2.0] * 7 + [0.2]) == "refuted"  # no difference that matters
    dead = [name if name != "rate too high" else "dead" for name in right]
    assert script.right_diagnoses({"first": [[name] for name in dead]}).all()


def test_wrong_diagnoses_refute_though_acting_helps():
    wrong = [NONE, *CAUSES[1:], CAUSES[0]]
    assert outcome(wrong, [2.0] * 8) == "refuted"


def test_rules_that_see_faults_in_healthy_runs_or_were_changed_decide_nothing():
    assert outcome(["plateau", *CAUSES], [2.0] * 8) == "undecided"
    found = results([NONE, *CAUSES], [2.0] * 8) | {"rules": "others"}
    (verdict,) = script.judge(found)
    assert verdict.outcome == "undecided"
