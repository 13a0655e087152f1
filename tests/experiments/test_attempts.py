"""Scripts side by side: the same records, failures that stop nobody, Ctrl-C that stops all."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from experiments.__main__ import main, parse

QUICK = ("which_random_search_draws_are_negative", "which_logarithm_checks_the_loss")
BROKEN = "does_epsilon_belong_inside_the_root"


def only(names):
    return [part for name in names for part in ("--only", name)]


def records(folder):
    found = {}
    for name in QUICK:
        record = json.loads((folder / f"{name}.json").read_text())
        found[name] = {k: v for k, v in record.items() if not k.endswith("_seconds")}
    return found


@pytest.mark.slow
def test_side_by_side_gives_the_records_of_one_after_another(tmp_path, capsys):
    """And a script whose picture cannot be written fails alone."""
    apart, together = tmp_path / "apart", tmp_path / "together"
    assert main(["--smoke", "--jobs", "1", *only(QUICK), "--out", str(apart)]) == 0
    (together / f"{BROKEN}.png").mkdir(parents=True)
    capsys.readouterr()
    assert (
        main(["--smoke", "--jobs", "2", *only([BROKEN, *QUICK]), "--out", str(together), "--force"])
        == 1
    )
    printed = capsys.readouterr()
    assert f"{BROKEN} FAILED: IsADirectoryError" in printed.out
    assert f"failed: errata/{BROKEN}" in printed.err
    assert "[3/3]" in printed.out.replace("[ ", "[")
    assert records(apart) == records(together)


@pytest.mark.slow
def test_ctrl_c_stops_every_process_and_leaves_no_half_written_file(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments", "--jobs", "2", "--only", QUICK[0],
         "--only", "learning_rate", "--out", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    while QUICK[0] not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)  # until no process has the pipe open
    assert process.returncode == 130
    # Python drops an exception that comes within JAX's callback of the collector, and says so.
    message = re.sub(
        "Exception ignored in: <function _xla_gc_callback.*?Interrupt: ?\n", "", message, flags=re.S
    )
    assert "interrupted" in message and "Traceback" not in message
    left = os.listdir(tmp_path)
    assert not any(name.startswith(".") for name in left)
    assert f"{QUICK[0]}.json" in left and "README.md" in left


def test_jobs_must_be_positive(capsys):
    with pytest.raises(SystemExit):
        parse(["--jobs", "0"])
    assert "--jobs must be at least 1, got 0" in capsys.readouterr().err
