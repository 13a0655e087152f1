"""The decoded copy saves time, and never changes what `load` gives."""

import concurrent.futures
import os
import re
import resource
import shutil
import signal
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from jaxtricks import data
from tests.data.by_tfds import by_tfds
from tests.data.tiny_set import SIZES, picture, refuse_packages, write_tiny

ALL = sum(SIZES.values())

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def opened(monkeypatch):
    """Grows by one with each image file that is decoded."""
    files, real = [], PIL.Image.open
    monkeypatch.setattr(
        PIL.Image, "open", lambda file, **how: files.append(file) or real(file, **how)
    )
    return files


def assert_is(got, want):
    for part, split in zip(got, want, strict=True):
        assert part["image"].dtype == np.uint8 and part["label"].dtype == np.int32
        assert np.array_equal(part["image"], split["image"])
        assert np.array_equal(part["label"], split["label"])


def whole(folder, name="tiny", **options):
    splits = data.load(name, data_dir=folder, validation=0, **options)
    return splits.train, splits.test


def only_file(folder):
    (file,) = folder.iterdir()
    return file


@pytest.fixture
def set_to_change(tiny, tmp_path):
    """A prepared set that a test may change."""
    shutil.copytree(tiny / "tiny", tmp_path / "prepared" / "tiny")
    return tmp_path / "prepared"


@pytest.mark.slow
@pytest.mark.parametrize("cache", [True, False])
def test_every_choice_is_that_among_all_labels(tiny, cache):
    """In this order, so that a choice is in the copy wholly, in part or not at all."""
    for limit, seed in [(1, 0), (7, 0), (7, 0), (7, 1), (33, 2), (20, 1), (None, 0), (33, 2)]:
        want = by_tfds("tiny", tiny, limit=limit, seed=seed)
        assert_is(whole(tiny, limit=limit, seed=seed, cache=cache), want)


def test_an_image_is_decoded_when_it_is_first_asked_for(tiny, opened):
    whole(tiny, limit=6)
    assert len(opened) == 12
    whole(tiny, limit=6)
    assert len(opened) == 12
    whole(tiny)
    assert len(opened) == ALL
    for seed in range(3):
        whole(tiny, limit=30, seed=seed)
    assert len(opened) == ALL


def test_without_cache_nothing_is_read_or_written(tiny, own_cache, opened):
    whole(tiny, cache=False)
    assert not own_cache.exists()
    whole(tiny)
    before = only_file(own_cache).stat().st_mtime_ns
    opened.clear()
    whole(tiny, cache=False)
    assert len(opened) == ALL and only_file(own_cache).stat().st_mtime_ns == before


def test_digits_are_not_copied(own_cache):
    data.load("digits")
    assert not own_cache.exists()


@pytest.mark.slow
def test_a_bit_flipped_anywhere_changes_nothing(tiny, own_cache):
    want = whole(tiny)
    content = only_file(own_cache).read_bytes()
    for place in np.random.default_rng(0).integers(0, 8 * len(content), 30):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << (place % 8)
        only_file(own_cache).write_bytes(flipped)
        assert_is(whole(tiny), want)


def pixel_flipped(content):
    place = content.index(picture(30, "train").tobytes())
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [pixel_flipped, lambda content: content[:-1], lambda content: content[:5000], lambda _: b""],
)
def test_a_damaged_copy_is_replaced(tiny, own_cache, opened, damage):
    want = whole(tiny)
    file = only_file(own_cache)
    content = file.read_bytes()
    file.write_bytes(damage(content))
    opened.clear()
    assert_is(whole(tiny), want)
    assert len(opened) == ALL and file.read_bytes() == content
    assert_is(whole(tiny), want)
    assert len(opened) == ALL and only_file(own_cache) == file


def write_dark(folder):
    """Another set of the same name."""
    write_tiny(folder, image=lambda i, split: picture(i, split) // 2)


def test_a_set_prepared_anew_is_decoded_anew(set_to_change, own_cache):
    bright = whole(set_to_change)
    shutil.rmtree(set_to_change / "tiny")
    write_dark(set_to_change)
    for _ in range(2):
        for got, old in zip(whole(set_to_change), bright, strict=True):
            assert np.array_equal(np.sort(got["image"], 0), np.sort(old["image"] // 2, 0))
    assert only_file(own_cache)


def test_sets_of_one_name_in_two_folders_have_two_copies(tiny, tmp_path, own_cache):
    write_dark(tmp_path)
    for _ in range(2):
        assert not np.array_equal(whole(tiny)[0]["image"], whole(tmp_path)[0]["image"])
    assert len(list(own_cache.iterdir())) == 2


def test_a_newer_version_is_read(set_to_change, tmp_path):
    whole(set_to_change)
    write_dark(tmp_path)
    shutil.copytree(tmp_path / "tiny" / "1.0.0", set_to_change / "tiny" / "2.0.0")
    assert_is(whole(set_to_change), whole(tmp_path))


def test_a_file_of_the_same_size_and_another_time_is_another(set_to_change, own_cache, opened):
    whole(set_to_change)
    record = next((set_to_change / "tiny" / "1.0.0").glob("*train*"))
    stat = record.stat()
    os.utime(record, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    whole(set_to_change)
    assert len(opened) == 2 * ALL and only_file(own_cache)


def test_a_name_with_a_folder(set_to_change, own_cache, opened):
    shutil.copytree(set_to_change / "tiny", set_to_change / "group" / "tiny")
    for _ in range(2):
        whole(set_to_change, "group/tiny")
    assert len(opened) == ALL
    assert re.fullmatch(r"group-tiny-1\.0\.0-[0-9a-f]{16}\.npz", only_file(own_cache).name)


@pytest.mark.parametrize("given", [None, "", "relative/folder"])
def test_the_default_folder(tiny, tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME")
    if given is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", given)
    whole(tiny)
    assert only_file(tmp_path / "home" / ".cache" / "jaxtricks").name.startswith("tiny-1.0.0-")


def test_where_no_folder_can_be_made_nothing_is_kept(tiny, tmp_path, monkeypatch, opened):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert_is(whole(tiny), whole(tiny, cache=False))
    assert_is(whole(tiny), whole(tiny, cache=False))
    assert len(opened) == 4 * ALL and os.listdir(tmp_path) == ["file"]


def test_on_a_full_disk_the_older_copy_stays(tiny, own_cache):
    """Files may not grow beyond 4,096 bytes; the copy of six images has fewer, of all more."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    whole(tiny, limit=3)
    content = only_file(own_cache).read_bytes()
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        got = whole(tiny)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert only_file(own_cache).read_bytes() == content
    assert_is(got, whole(tiny, cache=False))


def test_images_that_may_differ_in_size_are_not_kept(tmp_path, own_cache):
    """A choice of equal ones would otherwise stand in the way of the next choice."""
    write_tiny(tmp_path, image=lambda i, split: picture(i, split)[: 2 + i % 2], shape=(None, 4, 3))
    heights = {whole(tmp_path, limit=1, seed=seed)[1]["image"].shape[1] for seed in range(9)}
    assert heights == {2, 3} and not own_cache.exists()


def test_the_copy_does_not_hide_a_missing_package(tiny, monkeypatch):
    whole(tiny)
    refuse_packages(monkeypatch, "PIL")
    with pytest.raises(ImportError, match=r"install jaxtricks\[data\]"):
        whole(tiny)


@pytest.mark.slow
def test_threads_at_once(tiny, own_cache):
    limits = [3, 30, None, 12] * 4
    want = {limit: whole(tiny, limit=limit, cache=False) for limit in limits}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for limit, got in zip(
            limits, pool.map(lambda n: whole(tiny, limit=n), limits), strict=True
        ):
            assert_is(got, want[limit])
    assert only_file(own_cache)


LOAD = """
import os, signal, sys
from jaxtricks import data
if sys.argv[2] == "killed":
    os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
splits = data.load("tiny", data_dir=sys.argv[1], validation=0)
sys.stdout.buffer.write(splits.train["image"].tobytes() + splits.test["image"].tobytes())
"""


@pytest.mark.slow
def test_processes_at_once_one_killed_while_it_writes(tiny, own_cache, opened, request):
    processes = {
        end: subprocess.Popen(
            [sys.executable, "-c", LOAD, str(tiny), end],
            stdout=subprocess.PIPE,
            cwd=request.config.rootpath,
        )
        for end in ("killed", "well", "also well")
    }
    outputs = {end: process.communicate()[0] for end, process in processes.items()}
    want = b"".join(part["image"].tobytes() for part in whole(tiny))
    assert not opened and outputs["well"] == outputs["also well"] == want
    assert [process.returncode for process in processes.values()] == [-signal.SIGKILL, 0, 0]
    (part,) = own_cache.glob("*.tmp")
    assert len(list(own_cache.iterdir())) == 2 and part.stat().st_size > 0
