"""A second set of seeds: other runs, the same script, and the verdicts side by side."""

import dataclasses

import numpy as np
import pytest

from experiments import __main__ as command_line
from experiments.engine import Plan, all_of, paired
from experiments.engine import _freeze as freeze
from experiments.engine._flips import compare, repeatable
from experiments.engine._run import run_script
from tests.experiments.test_engine import fake_script


@dataclasses.dataclass(frozen=True)
class Seeded:
    seed: int = 7
    seeds: int = 20
    turns: bool = False


def seeded_script(turns=False):
    """Differences about 1; with `turns` every other set of seeds has them about -1."""

    def run(config):
        sign = -1 if config.turns and config.seed != 7 else 1
        return {"x": np.random.default_rng(config.seed).normal(sign, 0.1, config.seeds)}

    def judge(results):
        return [all_of("C-008", [paired("x", results["x"], effect=0.1, claimed="up")], scope="toy")]

    return fake_script(
        run,
        judge=judge,
        Config=lambda: Seeded(turns=turns),
        CLAIMS=("C-008",),
        PLANS={"C-008": Plan({"x": 0.1})},
    )


@pytest.mark.slow
@pytest.mark.parametrize("turns, after", [(False, "confirmed"), (True, "refuted")])
def test_other_seeds_are_run_and_compared(tmp_path, turns, after):
    script = seeded_script(turns)
    run_script(script, "default", tmp_path)
    ((before, found),) = compare(script, "default", 1, tmp_path, tmp_path)
    assert (before.subject, before.outcome) == ("C-008", "confirmed")
    assert (found.subject, found.outcome) == ("C-008", after)
    assert before.parts[0].estimate != found.parts[0].estimate
    assert repeatable([script, fake_script()], tmp_path, "default") == [script]


def test_flips_are_listed_and_nothing_is_written(tmp_path, monkeypatch, capsys):
    script = seeded_script(True)
    run_script(script, "default", tmp_path)
    monkeypatch.setattr(freeze, "COMMITTED", tmp_path)
    monkeypatch.setattr("experiments.engine._script.find_scripts", lambda only: [script])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert command_line.main(["--reseed", "1"]) == 0
    told = capsys.readouterr().out
    assert "1 of 1 verdicts flip: C-008 (confirmed -> refuted)" in told
    assert "committed: C-008 confirmed: x: 0.9684 [" in told
    assert "other seeds: C-008 refuted: x: -0.9933 [" in told
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_cannot_be_compared_is_said(tmp_path):
    with pytest.raises(ValueError, match="has no seed in its Config"):
        list(compare(fake_script(), "default", 1, tmp_path, tmp_path))
    with pytest.raises(ValueError, match="nothing to compare with"):
        list(compare(seeded_script(), "default", 1, tmp_path, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize(
    "change, preset, words",
    [
        ({}, "full", "is of the preset default, not of full"),
        ({"PLANS": {"C-008": Plan({"x": 0.2})}}, "default", "by another plan than the script's"),
    ],
)
def test_unlike_runs_are_not_compared_and_not_even_run(tmp_path, change, preset, words):
    script = seeded_script()
    run_script(script, "default", tmp_path)

    def run(config):
        raise AssertionError("it was run")

    script.module.__dict__.update(run=run, FULL=Seeded(), **change)
    with pytest.raises(ValueError, match=words):
        list(compare(script, preset, 1, tmp_path, tmp_path))


def test_redrawing_and_other_seeds_exclude_each_other(capsys):
    with pytest.raises(SystemExit):
        command_line.main(["--reseed", "1", "--redraw"])
    assert "not allowed with argument" in capsys.readouterr().err


def test_no_set_of_seeds_before_the_first(capsys):
    with pytest.raises(SystemExit):
        command_line.main(["--reseed", "0"])
    assert "--reseed must be from 1 to 9, got 0" in capsys.readouterr().err
