"""Trials of a long study: none is lost, none is run twice, and what changed is run again."""

import json
import time

import numpy as np
import pytest

from experiments.engine import finish
from experiments.engine._results import read_record
from experiments.engine._run import run_script
from tests.experiments.test_engine import fake_script


def study(path, trials, stop_at=None):
    """The results, and the settings that were run."""
    ran = []

    def run(settings):
        if settings == stop_at:
            raise KeyboardInterrupt
        ran.append(settings)
        return {"curve": np.arange(3.0) * settings, "end": float("nan"), "data_set": "digits"}

    return finish(path, trials, run), ran


def test_a_study_goes_on_where_it_was_stopped(tmp_path):
    path, trials = tmp_path / "trials" / "study.jsonl", {"a": 1, "b": 2, "c": 3}
    with pytest.raises(KeyboardInterrupt):
        study(path, trials, stop_at=2)
    results, ran = study(path, trials)
    assert ran == [2, 3] and list(results) == ["a", "b", "c"]
    np.testing.assert_array_equal(results["c"]["curve"], [0, 3, 6])
    assert np.isnan(results["a"]["end"])
    whole, _ = study(tmp_path / "whole.jsonl", trials)
    resumed, at_once = (
        [json.loads(line) | {"seconds": 0} for line in file.read_text().splitlines()]
        for file in (path, tmp_path / "whole.jsonl")
    )
    assert resumed == at_once
    assert str(whole) == str(results)


@pytest.mark.parametrize("damage", [lambda t: t[:-5], lambda t: t.replace("3.0", "4.0")])
def test_a_damaged_line_is_run_again(tmp_path, damage):
    path, trials = tmp_path / "study.jsonl", {"a": 1, "c": 3}
    study(path, trials)
    path.write_text(damage(path.read_text()))
    results, ran = study(path, trials)
    assert ran == [3]
    np.testing.assert_array_equal(results["c"]["curve"], [0, 3, 6])
    assert study(path, trials)[1] == []


def test_a_trial_with_other_settings_is_run_again(tmp_path):
    study(tmp_path / "study.jsonl", {"a": 1})
    results, ran = study(tmp_path / "study.jsonl", {"a": 2})
    assert ran == [2]
    np.testing.assert_array_equal(results["a"]["curve"], [0, 2, 4])


def test_settings_that_differ_in_the_last_digit_are_others(tmp_path):
    _, first = study(tmp_path / "study.jsonl", {"a": 0.1})
    _, ran = study(tmp_path / "study.jsonl", {"a": np.nextafter(0.1, 1)})
    assert len(first) == len(ran) == 1


def test_a_trial_s_name_is_a_text(tmp_path):
    with pytest.raises(TypeError, match=r"a trial's name must be a text, got \('a', 1\)"):
        finish(tmp_path / "study.jsonl", {("a", 1): 1}, dict)  # type: ignore


def test_settings_that_json_cannot_hold_are_named_before_any_run(tmp_path):
    with pytest.raises(TypeError, match="JSON cannot hold object, as in <object"):
        study(tmp_path / "study.jsonl", {"a": 1, "b": object()})
    assert not (tmp_path / "study.jsonl").exists()


def test_a_line_nested_too_deep_is_run_again(tmp_path):
    path = tmp_path / "study.jsonl"
    path.write_text("[" * 100_000 + "\n")
    assert study(path, {"a": 1})[1] == [1]


def test_a_script_keeps_its_trials_until_its_record_is_written(tmp_path):
    """Also when it was stopped in between."""
    lines, fails = [], True

    def run(config, trials):
        def square(number):
            if fails and number == 2:
                raise FloatingPointError("stopped")
            if number == 1:
                time.sleep(0.2)
            return {"square": number**2}

        found = finish(trials, {"one": 1, "two": 2}, square)
        lines.append(len(trials.read_text().splitlines()))
        return {"x": np.array([row["square"] for row in found.values()], float)}

    script = fake_script(run)
    kept = script.trials(tmp_path, script.config("default"))
    assert kept.parent == tmp_path / "trials" and kept.name.startswith("question-")
    assert kept != script.trials(tmp_path, script.config("full"))
    with pytest.raises(FloatingPointError):
        run_script(script, "default", tmp_path)
    assert len(kept.read_text().splitlines()) == 1
    fails = False
    run_script(script, "default", tmp_path)
    assert lines == [2] and not kept.exists()
    record = read_record(tmp_path / "question.json")
    np.testing.assert_array_equal(record["results"]["x"], [1, 4])
    assert record["wall_seconds"] >= 0.2  # also those of the first run
