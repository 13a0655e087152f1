"""Searches of a learning rate, judged where the answer is planted."""

import jax
import numpy as np
import pytest

from experiments.tuning import _tasks as tasks
from experiments.tuning import do_rates_from_a_tenth_of_the_data_last as tenth
from experiments.tuning import does_a_good_rate_show_within_100_updates as short

RATES = np.array([0.001, 0.01, 0.1, 0.3, 1.0])
NOISE = np.linspace(-0.1, 0.1, 10)  # of ten seeds
TASK = tasks.Task("digits", 400, 100, 200, hidden=(4,), batch=20)


def explored(*, chosen, grid=(50.0, 4.0, 2.0, 6.0, 90.0)):
    """Ten seeds, mean errors of five rates; the sweep ends at 3 % and tuning has the same order."""
    test = np.add.outer(NOISE, np.array([*grid, 3.0]))
    test[:, :-1] += np.outer(np.abs(NOISE), np.arange(len(grid)))  # no two columns are parallel
    return {
        "data_set": "digits",
        "images": 1000,
        "rates": RATES,
        "chosen": np.full(10, chosen),
        "swept": np.linspace(0.01, 0.02, 10),
        "scores": test[:, :-1] / 100,
        "test": test,
        "tuning": np.array(grid)[:, None] + np.zeros(3),
    }


def of_short_runs(**planted):
    (verdict,) = short.judge({"tasks": {"digits": explored(**planted)}})
    return verdict


def controls(verdict):
    return {gate.name: gate.passed for gate in verdict.gates}


def test_a_choice_that_loses_two_points_is_refuted():
    verdict = of_short_runs(chosen=1)
    assert verdict.outcome == "refuted"
    assert verdict.parts[0].estimate == pytest.approx(2 - np.abs(NOISE).mean())
    assert all(passed is not False for passed in controls(verdict).values())


def test_a_choice_near_the_best_is_confirmed_and_the_rest_stands_beside():
    verdict = of_short_runs(chosen=1, grid=(50.0, 2.3, 2.0, 6.0, 90.0))
    assert verdict.outcome == "confirmed"
    assert "one sweep 0.89" in verdict.beside[0]  # 3 % less 2 %, and less the noise of column 2
    assert "the best rate is 0.1; 100 updates choose 0.01 to 0.01" in verdict.beside[0]
    assert (
        "Spearman of the loss then and the test error at the end 1.00 (1.00 to 1.00)"
        in verdict.beside[0]
    )


def test_controls_of_a_choice():
    assert controls(of_short_runs(chosen=0))["edge"] is False
    assert controls(of_short_runs(chosen=4))["random choice loses more"] is False
    poor = of_short_runs(chosen=2, grid=(50.0, 9.0, 7.0, 8.0, 90.0))
    assert controls(poor)["floor"] is False  # 5 % is demanded of digits
    assert poor.outcome == "undecided"


def searched(*, loses, doubled=0.0, chosen=(2, 3)):
    """Ten seeds whose rate from a tenth loses so many points."""
    chosen = np.tile(chosen, (10, 1))
    return {
        "data_set": "digits",
        "images": 1000,
        "rates": RATES,
        "validation": np.ones((10, 2, 5)),
        "chosen": chosen,
        "test": np.stack([3 + NOISE, 3 + loses + 2 * NOISE], axis=1),
        "conv": [3 + NOISE[:5], 3 + doubled + NOISE[:5]],
        "updates": [1200, 120, 1200],
    }


def of_a_tenth(**planted):
    (verdict,) = tenth.judge({"tasks": {"digits": searched(**planted)}})
    return verdict


def test_a_rate_from_a_tenth_is_judged_by_what_it_loses_and_saves():
    good, poor = of_a_tenth(loses=0.1), of_a_tenth(loses=1.0)
    assert (good.outcome, poor.outcome) == ("confirmed", "refuted")
    assert [part.estimate for part in good.parts] == pytest.approx([0.1, 10.0])


@pytest.mark.parametrize(
    "planted, control", [({"doubled": 0.7}, "conv"), ({"chosen": (2, 4)}, "edge")]
)
def test_controls_of_a_tenth(planted, control):
    verdict = of_a_tenth(loses=0.1, **planted)
    assert verdict.outcome == "undecided" and controls(verdict)[control] is False


def test_every_seed_divides_all_images():
    fitting, examples, name = tasks.read(TASK)
    assert (fitting, name) == (TASK, "digits")
    numbered = {"label": np.arange(len(examples["label"]))}
    parts = [part["label"].tolist() for part in tasks.divide(jax.random.key(0), TASK, numbered)]
    assert [len(part) for part in parts] == [400, 100, 200]
    assert len({row for part in parts for row in part}) == 700
    others = tasks.divide(jax.random.key(1), TASK, numbered)
    assert parts[0] != others[0]["label"].tolist()


def test_a_set_with_too_few_images_has_equal_shares():
    large = tasks.Task("digits", 8000, 1000, 1000)
    fitting, examples, _ = tasks.read(large)
    assert len(examples["label"]) == 1797
    assert (fitting.count, fitting.validation, fitting.test) == (1437, 179, 179)


def test_a_tenth_has_a_tenth_of_the_updates_and_equal_updates_ten_times_the_epochs():
    counts = [tasks.updates(TASK, **options) for options in tenth.SEARCHES.values()]
    assert counts == [20, 2, 20]
