"""Two processes with two devices each train as one, in processes of their own with a time limit."""

import json
import pathlib
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest

from jaxtricks.training import fit
from tests.training.processes import SETTINGS, TRAIN, VALIDATION, parts, run_key

ROOT = pathlib.Path(__file__).parents[2]


def launch(folder):
    """Runs both to their end; none is left if one fails."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "tests.training.processes"]
    processes = [
        subprocess.Popen(
            [*command, str(index), port, str(folder)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for index in range(2)
    ]
    try:
        for process in processes:
            output, _ = process.communicate(timeout=120)
            assert process.returncode == 0, output
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@pytest.mark.slow
def test_two_processes_train_and_resume_as_one_does(tmp_path):
    launch(tmp_path)
    settings = {"key": run_key(), "epochs": 3, **SETTINGS}
    want = fit(*parts(), TRAIN, VALIDATION, **settings)
    lines = (tmp_path / "run" / "history.jsonl").read_text().splitlines()
    for got, record in zip(map(json.loads, lines), want.history, strict=True):
        assert got.keys() == record.keys() | {"crc32"}
        for name in record.keys() - {"seconds"}:
            np.testing.assert_allclose(got[name], record[name], rtol=1e-5, err_msg=name)
    for index in range(2):
        with np.load(tmp_path / f"end{index}.npz") as file:
            leaves = [file[name] for name in file.files]
        for got, leaf in zip(leaves, jax.tree.leaves(want.state), strict=True):
            np.testing.assert_allclose(got, leaf, rtol=1e-5, atol=1e-6)
