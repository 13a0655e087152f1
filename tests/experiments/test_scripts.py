"""Every experiment script runs, judges and draws; every id has one owner."""

import collections
import dataclasses

import pytest

from experiments import catalogue
from experiments.engine._results import read_record
from experiments.engine._run import redraw_script, run_script
from experiments.engine._script import find_scripts

SCRIPTS = find_scripts()


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_smoke_run_writes_picture_and_record(script, tmp_path):
    picture = run_script(script, "smoke", tmp_path)
    record = read_record(tmp_path / f"{script.stem}.json")
    assert record["preset"] == "smoke"
    for path in (picture, picture.with_suffix(".png")):  # of an animation a still too
        assert len(path.read_bytes()) > 5000


@pytest.mark.slow
def test_redrawing_from_the_record_gives_the_same_bytes(tmp_path):
    (script,) = find_scripts(("does_it_zigzag_in_a_valley",))
    first = run_script(script, "smoke", tmp_path).read_bytes()
    assert redraw_script(script, tmp_path).read_bytes() == first


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_script_exposes_what_the_engine_needs(script):
    module = script.module
    for config in (module.Config(), module.SMOKE, module.FULL):
        assert isinstance(config, module.Config)
        assert dataclasses.is_dataclass(config) and type(config).__dataclass_params__.frozen
    assert script.question.endswith("?")
    assert f"--only {script.stem}" in module.__doc__
    assert "Found:" not in module.__doc__  # findings are generated
    assert script.subjects or script.references


def test_every_id_has_one_owner_and_exists():
    owners = collections.Counter(s for script in SCRIPTS for s in script.subjects)
    assert [subject for subject, count in owners.items() if count > 1] == []
    known = {*catalogue.claims(), *catalogue.errata(), *catalogue.figures()}
    assert set(owners) <= known


def test_names_of_files_are_unique():
    stems = [script.stem for script in SCRIPTS]
    assert len(stems) == len(set(stems))
