"""The README is true: its code runs, its names exist, its commands are what CI runs."""

import inspect
import pathlib
import re
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import jaxtricks
from tests.contracts.test_api import ROOMS, is_layer

ROOT = pathlib.Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
TRICKS = [room for room in ROOMS if room != "presets"]  # told as a whole
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.slow
def test_python_blocks_run_in_order():
    namespace: dict[str, Any] = {}
    with jax.numpy_rank_promotion("allow"):  # a user's default
        for block in BLOCKS[:2]:
            exec(block, namespace)
        start = {"kernel": jnp.ones((3, 2)), "bias": jnp.zeros(2)}
        assert namespace["metric"] < namespace["loss"](start, namespace["x"])
        for block in BLOCKS[2:]:
            exec(block, namespace)
    assert namespace["losses"].shape == (64,)
    assert namespace["params"]["kernel"].shape == (3, 2)
    assert namespace["result"].history[-1]["validation.accuracy"] > 0.5
    assert namespace["accuracies"].shape == (4,)


@pytest.mark.parametrize("room", TRICKS)
def test_every_public_function_and_layer_is_in_the_table_of_tricks(room):
    table = README.split("## The tricks")[1].split("## The experiments")[0]
    for name, thing in vars(getattr(jaxtricks, room)).items():
        public = inspect.isfunction(thing) and not name.startswith("_") and name != "value_at"
        if public or is_layer(thing):
            assert re.search(rf"`(\w+\.)?{name}`", table), name


def test_links_and_pictures_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_both_commands_use_the_lock_and_ci_runs_the_second():
    commands = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert len(commands) == 2
    assert all("-c .ci/lock.txt" in command for command in commands)
    assert commands[1].endswith("-m pytest")
    assert "python -m pytest" in (ROOT / ".ci/run").read_text()
