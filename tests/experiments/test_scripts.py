"""Every experiment script runs, judges and draws; every id has one owner."""

import collections
import dataclasses
import re

import pytest

from experiments import catalogue
from experiments.engine._results import read_record
from experiments.engine._run import redraw_script, run_script
from experiments.engine._script import ROOT, find_scripts

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


def test_what_two_topics_share_is_no_private_file_of_one():
    """It belongs into the laboratory; only the engine's own files are open to every script."""
    private = re.compile(r"experiments\.(\w+)(?:\.| import )_[a-z]")
    for path in ROOT.glob("*/*.py"):
        rooms = set(private.findall(path.read_text("utf-8")))
        assert rooms <= {path.parent.name, "engine"}, path
