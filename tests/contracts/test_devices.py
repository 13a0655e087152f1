"""Law 7 on more devices than the suite has: in a process of its own, with a time limit."""

import pathlib
import subprocess
import sys

import pytest

from tests.cases.transforms import TRANSFORMS

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.slow
def test_every_rule_agrees_on_one_two_and_eight_devices_and_under_pmap():
    command = [sys.executable, "-m", "tests.contracts.eight_devices"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{len(TRANSFORMS)} rules agree"
