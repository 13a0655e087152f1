"""An exported file gives what its source gives, or an error that names it."""

import os
import re
import shutil

import numpy as np
import pytest

from jaxtricks import data
from tests.data.tiny_set import picture, refuse_packages, write_tiny

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def exported(tiny, tmp_path_factory):
    return data.export("tiny", tmp_path_factory.mktemp("exported"), data_dir=tiny)


@pytest.fixture(autouse=True)
def _no_folders(monkeypatch, tmp_path):
    monkeypatch.delenv("JAXTRICKS_DATA_DIR", raising=False)
    monkeypatch.setenv("TFDS_DATA_DIR", os.fspath(tmp_path / "nothing"))


def assert_same(left, right):
    for a, b in zip(left, right, strict=True):
        for x, y in zip(a.values(), b.values(), strict=True):
            assert x.dtype == y.dtype and np.array_equal(x, y)


@pytest.mark.parametrize("limit", [None, 7, 20, 33, 60, 99])
@pytest.mark.parametrize("seed, validation", [(0, 0.1), (1, 6), (2, 0)])
def test_a_file_gives_what_its_source_gives(tiny, exported, seed, validation, limit):
    options = {"seed": seed, "validation": validation, "limit": limit}
    want = data.load("tiny", data_dir=tiny, **options)
    assert_same(data.load("tiny", data_dir=exported.parent, **options), want)


def test_numpy_alone_reads_it(exported, tiny, monkeypatch):
    want = data.load("tiny", data_dir=tiny)
    refuse_packages(monkeypatch, "tensorflow_datasets", "PIL", "sklearn", "grain", "array_record")
    monkeypatch.setenv("JAXTRICKS_DATA_DIR", os.fspath(exported.parent))
    assert data.available("tiny")
    assert_same(data.load("tiny"), want)


def write_dark(folder):
    """Another set of the same name, to tell which was read."""
    write_tiny(folder, image=lambda i, split: picture(i, split) // 2)


def test_which_source_comes_first(tiny, exported, tmp_path, monkeypatch):
    """data_dir before JAXTRICKS_DATA_DIR before TFDS_DATA_DIR; a file before a prepared set."""
    write_dark(tmp_path)
    bright, dark = (data.load("tiny", data_dir=folder) for folder in (tiny, tmp_path))
    assert not np.array_equal(bright.train["image"], dark.train["image"])
    monkeypatch.setenv("TFDS_DATA_DIR", os.fspath(tmp_path))
    assert_same(data.load("tiny"), dark)
    monkeypatch.setenv("JAXTRICKS_DATA_DIR", os.fspath(tmp_path / "empty"))
    assert_same(data.load("tiny"), dark)
    monkeypatch.setenv("JAXTRICKS_DATA_DIR", os.fspath(exported.parent))
    assert_same(data.load("tiny"), bright)
    assert_same(data.load("tiny", data_dir=tmp_path), dark)
    shutil.copy(exported, tmp_path)
    assert_same(data.load("tiny", data_dir=tmp_path), bright)


def test_the_command_of_the_message_is_right(tiny, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError) as error:
        data.load("tiny", data_dir=tmp_path)
    (command,) = re.findall(r'python -c "(from jaxtricks.*)"', str(error.value))
    monkeypatch.setenv("TFDS_DATA_DIR", os.fspath(tiny))
    exec(command.replace("FOLDER", os.fspath(tmp_path)))
    assert len(data.load("tiny", data_dir=tmp_path).test["label"]) == 20


def assert_damaged(file):
    with pytest.raises(ValueError, match=re.escape(f"{file} is damaged")):
        data.load("tiny", data_dir=file.parent)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated(exported, tmp_path, share):
    content = exported.read_bytes()
    file = tmp_path / "tiny.npz"
    file.write_bytes(content[: int(share * len(content))])
    assert_damaged(file)


def test_a_flipped_bit_is_found_or_changes_nothing(exported, tmp_path):
    """Dates in the zip directory are no data; any pixel, label or sum is."""
    content, file = exported.read_bytes(), tmp_path / "tiny.npz"
    want = data.load("tiny", data_dir=exported.parent)
    unharmed = 0
    for place in np.random.default_rng(0).integers(0, 8 * len(content), 300):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << (place % 8)
        file.write_bytes(flipped)
        try:
            got = data.load("tiny", data_dir=tmp_path)
        except ValueError as error:
            assert f"{file} is damaged" in str(error)
        else:
            assert_same(got, want)
            unharmed += 1
    assert unharmed < 60


def test_a_decoded_copy_is_no_exported_file(tiny, tmp_path, own_cache):
    data.load("tiny", data_dir=tiny)
    (copy,) = own_cache.iterdir()
    shutil.copy(copy, tmp_path / "tiny.npz")
    assert_damaged(tmp_path / "tiny.npz")


def test_other_arrays_with_intact_archive(exported, tmp_path):
    with np.load(exported) as archive:
        arrays = dict(archive)
    arrays["train_label"] = arrays["train_label"][::-1]
    np.savez(tmp_path / "tiny.npz", **arrays)
    assert_damaged(tmp_path / "tiny.npz")
    del arrays["sha256"]
    np.savez(tmp_path / "tiny.npz", **arrays)
    assert_damaged(tmp_path / "tiny.npz")


class Trap:
    """Leaves a mark where it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_reading_runs_no_code(exported, tmp_path):
    mark = os.fspath(tmp_path / "mark")
    with np.load(exported) as archive:
        arrays = {**archive, "train_label": np.array([Trap(mark)], object)}
    np.savez(tmp_path / "tiny.npz", **arrays)
    assert_damaged(tmp_path / "tiny.npz")
    assert not os.path.exists(mark)
    with np.load(tmp_path / "tiny.npz", allow_pickle=True) as archive:
        assert archive["train_label"] is not None and os.path.exists(mark)


def test_a_failed_export_leaves_the_older_file(tiny, exported, tmp_path, monkeypatch):
    shutil.copy(exported, tmp_path)

    def fail(handle, **arrays):
        handle.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="no space left"):
        data.export("tiny", tmp_path, data_dir=tiny)
    assert os.listdir(tmp_path) == ["tiny.npz"]
    assert (tmp_path / "tiny.npz").read_bytes() == exported.read_bytes()


def test_export_makes_the_folder_and_replaces(tiny, tmp_path):
    folder = tmp_path / "a" / "b"
    first = data.export("tiny", folder, data_dir=tiny)
    content = first.read_bytes()
    first.write_bytes(b"old")
    assert data.export("tiny", os.fspath(folder), data_dir=tiny).read_bytes() == content
    assert os.listdir(folder) == ["tiny.npz"]


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (("digits", "x"), ValueError, "of a prepared data set, got 'digits'"),
        (("tiny", "x"), FileNotFoundError, "tiny is not prepared in"),
    ],
)
def test_bad_export(arguments, error, message):
    with pytest.raises(error, match=message):
        data.export(*arguments)


def test_missing_packages_name_the_other_way(monkeypatch):
    refuse_packages(monkeypatch, "tensorflow_datasets")
    with pytest.raises(ImportError, match=r"(?s)jaxtricks\[data\].*JAXTRICKS_DATA_DIR"):
        data.load("mnist")
