"""The README is true: its code, rooms, links, findings and commands are those there are."""

import inspect
import pathlib
import re
from typing import Any

import jax
import pytest

import jaxtricks
from experiments.engine._freeze import COMMITTED
from experiments.engine._headlines import headlines, with_headlines
from experiments.engine._ledger import by_subject, read_folder
from tests.contracts.test_api import ROOMS, is_layer

ROOT = pathlib.Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
CONVENTIONS = (ROOT / "docs" / "conventions.md").read_text("utf-8")
TABLE = CONVENTIONS.split("## What you can select")[1].split("\n## ")[0]
TRICKS = [room for room in ROOMS if room != "presets"]  # told as a whole
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.slow
def test_python_blocks_run_in_order():
    namespace: dict[str, Any] = {}
    with jax.numpy_rank_promotion("allow"):  # a user's default
        for block in BLOCKS:
            exec(block, namespace)
    assert namespace["result"].history[-1]["validation.accuracy"] > 0.8


def test_it_is_read_in_a_minute():
    assert len(README.splitlines()) <= 130


def test_its_findings_are_those_of_the_records():
    told = headlines(by_subject(read_folder(COMMITTED)), COMMITTED.name)
    assert with_headlines(README, told) == README, "python -m experiments --redraw writes them"
    assert told.count("\n- **") == 3


def test_its_table_has_every_room():
    rows = re.findall(r"^\| \[`(\w+)`\]\(jaxtricks/\1/__init__\.py\) \|", README, re.MULTILINE)
    assert sorted(rows) == sorted(ROOMS)


@pytest.mark.parametrize("room", TRICKS)
def test_every_public_function_and_layer_is_in_the_table_of_tricks(room):
    for name, thing in vars(getattr(jaxtricks, room)).items():
        public = inspect.isfunction(thing) and not name.startswith("_") and name != "value_at"
        if public or is_layer(thing):
            assert re.search(rf"`(\w+\.)?{name}`", TABLE), name


def test_links_and_pictures_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_both_commands_use_the_lock_and_ci_runs_the_second():
    commands = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert len(commands) == 2
    assert all("-c .ci/lock.txt" in command for command in commands)
    assert commands[1].endswith("-m pytest")
    assert "python -m pytest" in (ROOT / ".ci/run").read_text()
