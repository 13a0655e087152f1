"""SIGKILL at any moment, in a process of its own, with a time limit."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "devices, kills, in_saves",
    [
        (1, 3, 1),
        pytest.param(1, 20, 5, marks=pytest.mark.slow),
        pytest.param(2, 3, 1, marks=pytest.mark.slow),
    ],
)
def test_a_run_killed_again_and_again_ends_bit_for_bit_as_if_it_never_was(devices, kills, in_saves):
    command = [sys.executable, "-m", "tests.training.survive", str(devices), str(kills)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    found = re.search(r"(\d+) kills, (\d+) inside a save", done.stdout)
    assert found is not None, done.stdout
    assert int(found[1]) == kills
    assert int(found[2]) >= in_saves
