"""The script of all device checks: rehearsed in tiny sizes, killed, and given no time."""

import json
import signal
import subprocess
import sys
import time
from importlib import util

import pytest

from experiments.performance.device import __main__ as script
from experiments.performance.device import _plan, _records
from experiments.performance.device._contest import (
    Contest,
    OutOfTime,
    affordable_rounds,
    hold,
)

COMMAND = [sys.executable, "-u", "-m", "experiments.performance.device", "--smoke"]


def read(folder):
    return json.loads((folder / "device.json").read_text())


def rehearse(folder, *arguments):
    return script.main(["--smoke", "--out", str(folder), *arguments])


@pytest.mark.slow
def test_rehearsal_measures_everything_and_leaves_complete_records(tmp_path, capsys):
    assert rehearse(tmp_path) == 0
    found = read(tmp_path)
    assert found["device"] and found["platform"] == "cpu" and found["sizes"] == "smoke"
    names = [measurement.name for measurement in _plan.plan(_plan.SMOKE)]
    assert list(found["records"]) == names
    for name, record in found["records"].items():
        assert record["status"] == "measured", record
        assert name.startswith(record["kind"])
        assert record["took_seconds"] > 0 and record["cpu"] and record["versions"]["jax"]
        assert all(len(times) == record["rounds"] for times in record["seconds"].values())
        assert all(second > 0 for times in record["seconds"].values() for second in times)
        assert set(record["first_call_seconds"]) == set(record["seconds"])
        for low, middle, high in [*record["ratios"].values(), *record["per_second"].values()]:
            assert 0 < low <= middle <= high
    records = found["records"]
    assert {"optax / ours", "share of copy bandwidth"} == set(records["update_rule/adam"]["ratios"])
    assert records["epoch/cnn"]["about"]["data set"] == "digits"
    assert records["seeds/mlp"]["about"]["seeds"] == _plan.SMOKE.seeds
    assert "all seeds / one seed" in records["seeds/mlp"]["ratios"]
    for precision in ("float32", "bfloat16"):
        step = records[f"resnet_step/{precision}"]
        compared = "torch / ours" in step["ratios"]
        assert compared if util.find_spec("torch") else step["left_out"]["torch"] == "not installed"
    assert "9 of 9 measured, 0 failed" in capsys.readouterr().out
    before = (tmp_path / "device.json").read_bytes()
    assert rehearse(tmp_path) == 0  # nothing is measured twice
    assert (tmp_path / "device.json").read_bytes() == before


def test_full_sizes_come_in_the_order_of_importance():
    """The large leaves' update reads and writes more than 1 GB, which no cache holds."""
    names = [measurement.name for measurement in _plan.plan(_plan.FULL)]
    assert len(names) == len(set(names)) == 2 * 10 + 5
    assert {name.partition("/")[0] for name in names[:6]} == {
        "update_rule", "epoch", "seeds", "resnet_step"
    }  # fmt: skip
    contest = _plan.plan(_plan.FULL)[0].contest()
    assert contest.about["bytes of an update"] == 7 * 4 * 16 * 2048**2
    assert contest.about["bytes of a copy"] == 2 * 4 * 2**28


@pytest.mark.slow
def test_a_kill_after_the_first_record_loses_nothing(tmp_path):
    only = ["--only", "update_rule", "ragged_update_rule"]
    command = [*COMMAND, "--out", str(tmp_path), *only]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while not process.stdout.readline().startswith("update_rule/adam: "):
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    first = read(tmp_path)["records"]
    assert first["update_rule/adam"]["status"] == "measured" and len(first) < 4
    assert rehearse(tmp_path, *only) == 0
    records = read(tmp_path)["records"]
    assert {name: records[name] for name in first} == first
    assert len(records) == 4


def test_without_time_it_stops_at_once_and_says_so(tmp_path, capsys, monkeypatch):
    """Nothing is begun."""
    monkeypatch.setattr(script, "measure", None)
    assert rehearse(tmp_path, "--minutes", "0.01") == script.UNFINISHED
    printed = capsys.readouterr().out
    assert "left out, as 0.01 minutes are too short: update_rule/adam (about 18 s)" in printed
    assert "0 of 9 measured" in printed
    assert not (tmp_path / "device.json").exists()


def contest(*names, broken=(), optional=()):
    """Contenders that do next to nothing, or fail."""

    def make(name):
        if name in broken:
            raise RuntimeError("out of memory")
        return lambda: time.sleep(1e-4)

    return Contest(
        makers={name: lambda name=name: make(name) for name in names},
        ratios={"theirs / ours": ("theirs", "ours", 2.0)},
        per_second={"updates": ("ours", 1.0)},
        about={},
        optional=optional,
    )


def planned(monkeypatch, **contests):
    plan = [
        _plan.Measurement(name, "kind", 0.01, lambda made=made: made)
        for name, made in contests.items()
    ]
    monkeypatch.setattr(_plan, "plan", lambda sizes: plan)


@pytest.mark.slow
def test_a_failure_is_recorded_and_the_others_go_on_and_it_is_tried_again(tmp_path, monkeypatch):
    bad, good = contest("ours", "theirs", broken=("ours",)), contest("ours", "theirs")
    planned(monkeypatch, first=bad, second=good)
    assert rehearse(tmp_path) == script.FAILED
    records = read(tmp_path)["records"]
    assert records["first"]["status"] == "failed"
    assert records["first"]["error"] == "RuntimeError: out of memory"
    assert records["second"]["status"] == "measured"
    planned(monkeypatch, first=good, second=bad)
    assert rehearse(tmp_path) == 0
    again = read(tmp_path)["records"]
    assert again["first"]["status"] == "measured" and again["second"] == records["second"]


@pytest.mark.slow
def test_an_optional_contender_that_fails_is_left_out_with_its_error():
    found = hold(contest("ours", "theirs", broken=("theirs",), optional=("theirs",)), 4, lambda: 60)
    assert found["left_out"] == {"theirs": "RuntimeError: out of memory"}
    assert found["ratios"] == {} and len(found["seconds"]["ours"]) == 4


@pytest.mark.slow
def test_ratios_are_formed_within_a_round():
    found = hold(contest("ours", "theirs"), 5, lambda: 60)
    ours, theirs = found["seconds"]["ours"], found["seconds"]["theirs"]
    want = sorted(2 * b / a for a, b in zip(ours, theirs, strict=True))[2]
    assert found["ratios"]["theirs / ours"][1] == pytest.approx(want, rel=1e-3)
    assert found["per_second"]["updates"][1] == pytest.approx(1 / sorted(ours)[2], rel=1e-3)


def test_fewer_rounds_when_time_is_short_and_none_when_it_is_shorter():
    assert affordable_rounds(30, one_round=0.1, left=60) == 30
    assert affordable_rounds(30, one_round=0.1, left=2.05) == 20
    assert affordable_rounds(30, one_round=10.0, left=60) == 3  # not longer than need be
    with pytest.raises(OutOfTime, match="a round takes 10 s, and 25 s are left"):
        affordable_rounds(30, one_round=10.0, left=25)


def test_estimates_come_from_what_went_before():
    """Of the same kind the slowest; of another kind as much slower than expected as all so far."""
    kinds = {"a": ("x", 10.0), "b": ("x", 10.0), "c": ("y", 40.0), "d": ("y", 40.0)}
    plan = [_plan.Measurement(n, kind, s, lambda: None) for n, (kind, s) in kinds.items()]
    assert [script.estimate(m, plan, {}) for m in plan] == [10, 10, 40, 40]
    records = {"a": {"status": "measured", "took_seconds": 30.0}}
    assert [script.estimate(m, plan, records) for m in plan[1:]] == [30, 120, 120]
    records["b"] = {"status": "failed", "took_seconds": 1000.0}
    assert script.estimate(plan[2], plan, records) == 120
    records["c"] = {"status": "measured", "took_seconds": 4.0}
    assert script.estimate(plan[3], plan, records) == 4


def test_the_deadline_ends_even_a_compilation(tmp_path):
    code = (
        "import time; from experiments.performance.device.__main__ import ended_at\n"
        "with ended_at(time.monotonic() + 0.1, 'epoch/cnn'): time.sleep(60)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert done.returncode == script.UNFINISHED
    assert "time is up within epoch/cnn" in done.stdout


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"schema": 1}', "[" * 100_000, '{"schema": 1, "records": {"a": 1}}', "\udcff"],
)
def test_a_file_that_is_not_ours_is_neither_used_nor_overwritten(tmp_path, capsys, content):
    path = tmp_path / "device.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    before = path.read_bytes()
    assert rehearse(tmp_path) == script.FAILED
    assert str(path) in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.parametrize("key", ["device", "sizes", "platform"])
def test_records_of_another_device_are_not_mixed(tmp_path, capsys, key):
    head = {**_records.head("cpu", "cpu", "smoke"), key: "another"}
    _records.write_records(tmp_path / "device.json", head, {})
    assert rehearse(tmp_path) == script.FAILED
    assert f"was measured with {key} 'another'" in capsys.readouterr().err


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf"])
def test_minutes_are_positive(tmp_path, capsys, minutes):
    with pytest.raises(SystemExit):
        rehearse(tmp_path, "--minutes", minutes)
    assert "--minutes must be positive" in capsys.readouterr().err


def test_an_unknown_name_lists_the_known_ones(tmp_path, capsys):
    assert rehearse(tmp_path, "--only", "nonsense") == script.FAILED
    assert "no measurement fits 'nonsense': update_rule/adam" in capsys.readouterr().err
