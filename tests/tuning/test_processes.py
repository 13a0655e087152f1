"""Two processes that share a folder, and eight devices, find the table of one."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.tuning import processes


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return str(probe.getsockname()[1])


def trials_in(file):
    records = map(json.loads, file.read_text().splitlines())
    return [record["trial"] for record in records if "trial" in record]


@pytest.mark.slow
def test_two_processes_find_the_table_of_one(tmp_path):
    want = {
        name: processes.find(rungs, None) for name, rungs in (("plain", None), ("rungs", (1, 3, 7)))
    }
    processes.find((1, 3, 7), tmp_path / "half")  # as if one process had been killed in the middle
    file = tmp_path / "half" / "search.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:8]))
    programs = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.tuning.processes", str(i), port, str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for port in [free_port()]
        for i in range(2)
    ]
    try:
        for program in programs:
            output, _ = program.communicate(timeout=240)
            assert program.returncode == 0, output
    finally:
        for program in programs:
            program.kill()
            program.communicate()
    for index in range(2):
        for name, found in want.items():
            with np.load(tmp_path / f"{name}-{index}.npz") as columns:
                assert "loss" in columns.files
                for column in columns.files:
                    np.testing.assert_array_equal(columns[column], found.table[column])
        half = np.load(tmp_path / f"half-{index}.npy")
        np.testing.assert_array_equal(half, want["rungs"].table["loss"])
    own = [trials_in(tmp_path / "plain" / name) for name in ("search.jsonl", "search-1.jsonl")]
    assert sorted(own[0] + own[1]) == list(range(18)) and abs(len(own[0]) - len(own[1])) <= 2
    again = processes.find((1, 3, 7), tmp_path / "rungs", resume=True)
    np.testing.assert_array_equal(again.table["loss"], want["rungs"].table["loss"])


@pytest.mark.slow
def test_one_two_and_eight_devices_find_one_table():
    command = [sys.executable, "-m", "tests.tuning.eight_devices"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0 and "one table" in done.stdout, done.stdout + done.stderr
