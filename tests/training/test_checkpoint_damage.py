"""Whatever a checkpoint's folder holds: the right numbers, or the damage named and the next one."""

import collections
import errno
import json
import os
import shutil
import subprocess
import warnings

import jax
import numpy as np
import pytest

from jaxtricks.training import restore, save
from jaxtricks.training.checkpoint._folder import find, newest_first
from jaxtricks.training.checkpoint._manifest import DamagedCheckpoint, encode, verify
from tests.training.test_checkpoint import (
    WEIGHTS,
    assert_same,
    kinds,
    reseal,
    steps,
    two_checkpoints,
)

DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    two_checkpoints(folder)
    return folder


@pytest.fixture
def run(template, tmp_path):
    """A run with two checkpoints; the newer one may be damaged."""
    return shutil.copytree(template, tmp_path / "run")


def newest_that_verifies(folder):
    """The step that `restore` takes, without the arrays, and what was passed over."""
    checkpoints, damaged = find(folder)
    for checkpoint in newest_first(checkpoints):
        try:
            verify(checkpoint.path)
            return checkpoint.meta["step"], damaged
        except DamagedCheckpoint as error:
            damaged.append(f"{checkpoint.path.name}: {error}")
    return None, damaged


def flip(content, rng):
    place = int(rng.integers(8 * len(content)))
    return (
        content[: place // 8]
        + bytes([content[place // 8] ^ 1 << place % 8])
        + content[place // 8 + 1 :]
    )


def truncate(content, rng):
    return content[: int(rng.integers(len(content)))]


def extend(content, rng):
    return content + rng.bytes(int(rng.integers(1, 9)))


def overwrite(content, rng):
    return rng.bytes(len(content))


@pytest.mark.slow
@pytest.mark.parametrize("damage", [flip, truncate, extend, overwrite])
def test_every_change_of_every_file_is_found_and_named(run, damage):
    """50 times each file."""
    rng = np.random.default_rng(0)
    for file in kinds(run / "00000002"):
        content = file.read_bytes()
        for _ in range(50):
            changed = damage(content, rng)
            file.write_bytes(changed)
            step, damaged = newest_that_verifies(run)
            assert step == 1 and len(damaged) == 1, damaged
            assert damaged[0].startswith("00000002: ")
            assert file.name in damaged[0] or file.name == "manifest.json"
        file.write_bytes(content)
    assert newest_that_verifies(run) == (2, [])


REPLACEMENTS = {
    "pipe": os.mkfifo,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "empty device": lambda path: path.symlink_to("/dev/null"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
    "link to nothing": lambda path: path.symlink_to("nothing"),
    "link to itself": lambda path: path.symlink_to(path),
    "link to the intact file": lambda path: path.symlink_to(path.with_name("aside")),
    "folder": os.mkdir,
    "deep JSON": lambda path: path.write_bytes(DEEP),
    "huge file": lambda path: (path.touch(), os.truncate(path, 2**40)),
    "unreadable text": lambda path: path.write_bytes(b"\xff\xfe{}"),
    "huge number": lambda path: path.write_bytes(b"1" * 10_000),
}


@pytest.mark.parametrize("kind", REPLACEMENTS)
def test_nothing_that_stands_in_for_a_file_hangs_or_passes(run, kind):
    for file in kinds(run / "00000002"):
        aside = file.with_name("aside")
        file.rename(aside)
        REPLACEMENTS[kind](file)
        step, damaged = newest_that_verifies(run)
        assert step == 1 and len(damaged) == 1, damaged
        shutil.rmtree(file) if file.is_dir() else file.unlink()
        aside.rename(file)
    assert newest_that_verifies(run) == (2, [])


@pytest.mark.parametrize(
    "kind", sorted(REPLACEMENTS.keys() - {"folder", "link to the intact file"})
)
def test_nothing_that_stands_in_for_a_checkpoint_hangs_or_stands_in_the_way(run, kind):
    REPLACEMENTS[kind](run / "00000003")
    with pytest.warns(UserWarning, match="00000003: it is not a folder.*Step 2 is used"):
        assert restore(run, WEIGHTS).step == 2
    save(run, WEIGHTS, step=4)
    with pytest.warns(UserWarning, match="Step 4 is used"):
        assert restore(run, WEIGHTS).step == 4


def test_odd_neighbours_are_no_checkpoints(run):
    os.mkfifo(run / "pipe")
    (run / "notes").mkdir()
    (run / "0000000a").mkdir()
    (run / "٠٠٠٠٠٠٠٣").mkdir()
    assert restore(run, WEIGHTS)[1:] == (2, None, ())


def test_pipes_and_links_inside_are_named(run):
    for make in (os.mkfifo, lambda path: path.symlink_to("/")):
        odd = run / "00000002" / "state" / "odd"
        make(odd)
        assert newest_that_verifies(run) == (1, ["00000002: state/odd is not in the manifest"])
        odd.unlink()


def test_a_folder_deeper_than_python_recurses_is_damaged(run):
    """And deeper than a path may be long."""
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(run / "00000002" / "state")
        for _ in range(1000):
            os.mkdir("deep")
            os.chdir("deep")
    finally:
        os.fchdir(before)
        os.close(before)
    step, damaged = newest_that_verifies(run)
    assert step == 1 and "the folder cannot be read" in damaged[0]
    subprocess.run(["rm", "-r", run], check=True)  # which goes down step by step


META = {
    "missing": lambda meta, key: meta.pop(key),
    "null": lambda meta, key: meta.update({key: None}),
    "list": lambda meta, key: meta.update({key: [1]}),
    "text": lambda meta, key: meta.update({key: "1"}),
    "true": lambda meta, key: meta.update({key: True}),
    "negative": lambda meta, key: meta.update({key: -1}),
    "huge": lambda meta, key: meta.update({key: 10**400}),
    "nan": lambda meta, key: meta.update({key: float("nan")}),
}
ALLOWED = {("metric", "null"), ("metric", "nan"), ("sequence", "huge"), ("format", "true")}


@pytest.mark.parametrize("key", ["step", "sequence", "metric", "mode", "tree", "format"])
@pytest.mark.parametrize("kind", META)
def test_a_sealed_description_of_the_wrong_kind_is_damaged(run, key, kind):
    path = run / "00000002"
    meta = json.loads((path / "meta.json").read_text())
    META[kind](meta, key)
    (path / "meta.json").write_bytes(encode(meta))
    reseal(path)
    step, damaged = newest_that_verifies(run)
    if (key, kind) in ALLOWED:
        assert step == 2
    else:
        assert step == 1 and "00000002: meta.json" in damaged[0]
    restored = restore(run, WEIGHTS) if step == 2 else None
    assert restored is None or restored.step == 2


@pytest.mark.parametrize(
    "change",
    [
        {"path": 1}, {"shape": None}, {"shape": ["4"]}, {"shape": [-4]}, {"shape": [True]},
        {"dtype": None}, {"key": 3}, {"weak": "yes"}, {"path": "['w']"},
    ],
)  # fmt: skip
def test_a_sealed_leaf_of_the_wrong_kind_is_damaged(run, change):
    path = run / "00000002"
    meta = json.loads((path / "meta.json").read_text())
    meta["tree"][0] |= change
    (path / "meta.json").write_bytes(encode(meta))
    reseal(path)
    step, damaged = newest_that_verifies(run)
    assert step == 1 and "meta.json has no entry tree" in damaged[0]


@pytest.mark.parametrize("text", [DEEP, b"[]", b"3", b"null", b'{"format": 1}', b"{", b""])
def test_a_sealed_description_that_is_none_is_damaged(run, text):
    (run / "00000002" / "meta.json").write_bytes(text)
    reseal(run / "00000002")
    with pytest.warns(UserWarning, match="00000002: meta.json .*Step 1 is used"):
        assert_same(restore(run, WEIGHTS).tree, WEIGHTS)


@pytest.mark.parametrize(
    "content",
    [DEEP, b"{}", b"[]", b'{"meta.json": []}', b'{"../../x": {"sha256": "", "size": 0}}'],
)
def test_a_manifest_that_is_none_is_damaged(run, content):
    path = run / "00000002" / "manifest.json"
    path.write_bytes(content)
    assert newest_that_verifies(run)[0] == 1
    if content != DEEP:
        path.write_bytes(encode(json.loads(content)))
        assert newest_that_verifies(run)[0] == 1


def test_a_copy_under_another_step_is_damaged(run):
    shutil.copytree(run / "00000001", run / "00000003")
    with pytest.warns(UserWarning, match="00000003: meta.json belongs to step 1.*Step 2 is used"):
        assert restore(run, WEIGHTS).step == 2


@pytest.mark.parametrize(
    "other",
    [
        {"w": np.ones((4, 3), np.float32), "b": WEIGHTS["b"]},
        {"w": np.ones((2, 4), np.float32), "b": WEIGHTS["b"]},
        {"w": WEIGHTS["w"].astype(np.float64), "b": WEIGHTS["b"]},
        {"w": WEIGHTS["w"].astype(np.int32), "b": WEIGHTS["b"]},
        {"b": WEIGHTS["b"]},
    ],
)
def test_arrays_of_another_run_under_a_sealed_description_are_damaged(run, tmp_path, other):
    """The sums are right, the arrays are not: shapes and dtypes are those of the description."""
    strange = save(tmp_path / "other", other, step=2)
    shutil.rmtree(run / "00000002" / "state")
    shutil.copytree(strange / "state", run / "00000002" / "state")
    reseal(run / "00000002")
    with pytest.warns(UserWarning, match="00000002: .*Step 1 is used"):
        restored = restore(run, WEIGHTS)
    assert_same(restored.tree, WEIGHTS)
    assert "['w']" in restored.skipped[0] or "state cannot be read" in restored.skipped[0]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # orbax's threads
def test_sealed_garbage_instead_of_arrays_is_damaged_or_not_read(run):
    newer = jax.tree.map(lambda x: x + 1, WEIGHTS)
    for file in kinds(run / "00000002" / "state"):
        content = file.read_bytes()
        for changed in (b"", DEEP, b"{}", content[:-3]):
            file.write_bytes(changed)
            reseal(run / "00000002")
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                restored = restore(run, WEIGHTS)
            assert_same(restored.tree, newer if restored.step == 2 else WEIGHTS)
            assert restored.step == 2 or any("were skipped" in str(w.message) for w in caught)
        file.write_bytes(content)


def test_leaves_are_told_apart_by_their_paths_not_by_their_order(tmp_path):
    ordered = collections.OrderedDict(b=np.array([1.0]), a=np.array([2.0]))
    save(tmp_path, ordered, step=1)
    like = collections.OrderedDict(a=np.zeros(1), b=np.zeros(1))
    assert restore(tmp_path, like).tree == {"a": [2.0], "b": [1.0]}


def test_damaged_checkpoints_do_not_count_as_kept(tmp_path):
    """With two to keep, two damaged ones and an intact one, the intact one stays."""
    for step in (1, 2, 3):
        save(tmp_path, WEIGHTS, step=step, metric=-float(step), keep=3)
    for step in (2, 3):
        array = max((tmp_path / f"{step:08d}").rglob("d/*"), key=lambda file: file.stat().st_size)
        content = array.read_bytes()
        array.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    save(tmp_path, WEIGHTS, step=4, metric=0.0, keep=2)
    assert steps(tmp_path) == [1, 2, 3, 4]
    with pytest.warns(UserWarning, match="00000003: .*; 00000002: .*Step 1 is used"):
        assert restore(tmp_path, WEIGHTS, which="best").step == 1
    for step in (5, 6):
        save(tmp_path, WEIGHTS, step=step, metric=0.0, keep=2)
    assert steps(tmp_path) == [1, 2, 3, 5, 6]


def test_the_best_is_not_said_to_be_missing_where_it_is_damaged(tmp_path):
    save(tmp_path, WEIGHTS, step=1, metric=0.5)
    save(tmp_path, WEIGHTS, step=2)
    (tmp_path / "00000001" / "meta.json").write_text("{}")
    with pytest.raises(ValueError, match="has a finite metric.* Damaged .*: 00000001: meta.json"):
        restore(tmp_path, WEIGHTS, which="best")


@pytest.mark.parametrize("busy", ["rename", "rmtree"])
def test_what_cannot_be_removed_costs_no_save(tmp_path, monkeypatch, busy):
    save(tmp_path, WEIGHTS, step=1, keep=1)
    real = {"rename": os.rename, "rmtree": shutil.rmtree}

    def refuse(path, *arguments, **options):
        if "00000001" in os.fspath(path):
            raise OSError(errno.EBUSY, "Device or resource busy", os.fspath(path))
        return real[busy](path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os if busy == "rename" else shutil, busy, refuse)
        with pytest.warns(UserWarning, match="step 2 is saved, but .*00000001.*: Device or res"):
            save(tmp_path, WEIGHTS, step=2, keep=1)
        assert restore(tmp_path, WEIGHTS).step == 2
        with pytest.warns(UserWarning, match="step 3 is saved, but"):
            save(tmp_path, WEIGHTS, step=3, keep=1)
    save(tmp_path, WEIGHTS, step=4, keep=1)
    assert steps(tmp_path) == [4]
