"""Whatever becomes of the history's file, no record is changed and no run comes to a dead end."""

import os
import warnings
import zlib

import numpy as np
import pytest

from jaxtricks import _json_lines
from jaxtricks.training.loop import _history
from tests.training.test_fit_folder import records, run, same, timeless

RECORDS = [
    {"epoch": e, "step": 2 * e, "validation.loss": 1 / e, "own.weights": [0.5, float(e)]}
    for e in range(1, 6)
]


@pytest.fixture
def history(tmp_path):
    path = tmp_path / "history.jsonl"
    for record in RECORDS:
        _json_lines.append(path, [record])
    return path


def flip(content, rng):
    place = int(rng.integers(8 * len(content)))
    content = bytearray(content)
    content[place // 8] ^= 1 << place % 8
    return bytes(content)


def cut_out(content, rng):
    a, b = sorted(rng.integers(len(content), size=2))
    return content[:a] + content[b:]


def repeat(content, rng):
    a, b = sorted(rng.integers(len(content), size=2))
    return content[:b] + content[a:]


def overwrite(content, rng):
    a, b = sorted(rng.integers(len(content), size=2))
    return content[:a] + rng.bytes(b - a) + content[b:]


def shuffle(content, rng):
    lines = content.splitlines(keepends=True)
    return b"".join(lines[i] for i in rng.permutation(len(lines)))


@pytest.mark.slow
@pytest.mark.parametrize("damage", [flip, cut_out, repeat, overwrite, shuffle])
def test_what_is_read_is_what_was_written_and_what_is_lost_is_named(history, damage):
    """300 times each."""
    content, rng = history.read_bytes(), np.random.default_rng(0)
    for _ in range(300):
        history.write_bytes(damage(content, rng))
        found, lost = _history.read(history, 4)
        assert sorted([record["epoch"] for record in found] + lost) == [1, 2, 3, 4]
        assert found == [RECORDS[record["epoch"] - 1] for record in found]
        assert damage is not flip or len(lost) <= 2
        _history.keep(history, found)
        assert _history.read(history, 9)[0] == found


DEEP = b"[" * 100_000


@pytest.mark.parametrize("text", [DEEP, b'{"a": 1', b"[1]", b'{"epoch": true}', b"null", b""])
def test_an_intact_sum_around_no_record_is_no_record(text):
    line = _json_lines.encode({})[: -len(b"}\n")]
    body = text.removesuffix(b"}")
    line = body + _json_lines.SUM + b'%08x"}' % zlib.crc32(body)
    assert _history.decode(line) is None


@pytest.mark.slow
def test_a_flipped_line_costs_its_metrics_and_nothing_else(tmp_path):
    wanted = run(4)
    run(3, tmp_path)
    path = tmp_path / "history.jsonl"
    content = path.read_bytes()
    place = content.index(b'"epoch": 2') + 40
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with pytest.warns(UserWarning, match=r"history.jsonl has no intact line for the epochs 2: "):
        got = run(4, tmp_path, resume=True)
    assert got.epochs == 4 and timeless(got.history) == [
        record for record in timeless(wanted.history) if record["epoch"] != 2
    ]
    assert records(tmp_path) == got.history
    same(got._replace(history=[]), wanted._replace(history=[]))


@pytest.mark.slow
@pytest.mark.parametrize("become", ["missing", "empty", "zeros"])
def test_a_lost_history_costs_its_metrics_and_nothing_else(tmp_path, become):
    run(3, tmp_path, save_every=2)
    path = tmp_path / "history.jsonl"
    if become == "missing":
        path.unlink()
    else:
        path.write_bytes(b"" if become == "empty" else b"\0" * 1000)
    with pytest.warns(UserWarning, match="no intact line for the epochs 1-3: "):
        got = run(5, tmp_path, resume=True, save_every=2)
    assert [record["epoch"] for record in got.history] == [4, 5] and got.epochs == 5
    same(got._replace(history=[]), run(5)._replace(history=[]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_file_is_named_and_nothing_hangs(tmp_path, kind):
    run(1, tmp_path)
    path = tmp_path / "history.jsonl"
    path.unlink()
    {"pipe": os.mkfifo, "folder": os.mkdir, "device": lambda path: path.symlink_to("/dev/zero")}[
        kind
    ](path)
    with pytest.raises(OSError, match="history.jsonl is not a regular file"):
        run(2, tmp_path, resume=True)


@pytest.mark.slow
def test_an_addition_is_kept_everywhere_or_refused(tmp_path):
    def write(epoch, state, record):
        record["own"] = 1.0

    def change(epoch, state, record):
        record["train.loss"] = 0.0
        return {"own": 1.0}

    def remove(epoch, state, record):
        del record["seconds"]

    for number, hook in enumerate((write, change, remove)):
        with pytest.raises(ValueError, match="on_epoch must return its metrics"):
            run(1, tmp_path / str(number), on_epoch=hook)

    held = []

    def hold(epoch, state, record):
        held.append(record)
        for old in held[:-1]:
            old["train.loss"] = -1.0

    got = run(3, tmp_path / "held", on_epoch=hold)
    assert records(tmp_path / "held") == got.history
    assert all(record["train.loss"] >= 0 for record in got.history)


def test_an_intact_history_is_not_written_anew(tmp_path):
    run(2, tmp_path)
    before = (tmp_path / "history.jsonl").stat()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(2, tmp_path, resume=True)
    after = (tmp_path / "history.jsonl").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
