"""Trials of a long study: none is lost, none is run twice, and what changed is run again."""

import numpy as np
import pytest

from experiments.engine import finish


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
    assert path.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
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
