"""Data from strangers or from a failing disk: the same arrays, or an error that names the file."""

import io
import json
import os
import shutil
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from jaxtricks import data
from jaxtricks._checked_file import checksum
from jaxtricks.data._decode import decoder_of
from jaxtricks.data._description import Features
from tests.untyped import untyped

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def want(tiny):
    return load(tiny)


@pytest.fixture
def folder(tiny, tmp_path):
    """A prepared set that a test may change."""
    shutil.copytree(tiny / "tiny" / "1.0.0", tmp_path / "data" / "tiny" / "1.0.0")
    return tmp_path / "data"


@pytest.fixture
def version(folder):
    return folder / "tiny" / "1.0.0"


def load(folder):
    splits = data.load("tiny", data_dir=folder, validation=0, cache=False)
    return splits.train, splits.test


def assert_is(got, want):
    for part, split in zip(got, want, strict=True):
        assert part.keys() == split.keys()
        for name, values in split.items():
            assert part[name].dtype == values.dtype and np.array_equal(part[name], values)


def change(file, edit):
    tree = json.loads(file.read_text())
    edit(tree)
    file.write_text(json.dumps(tree))


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A module that leaves a mark when it is imported."""
    (tmp_path / "trap_of_a_stranger.py").write_text(
        f"import pathlib; pathlib.Path({str(tmp_path / 'mark')!r}).touch()\nclass Image: pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "trap_of_a_stranger.Image"
    assert not (tmp_path / "mark").exists() and "trap_of_a_stranger" not in sys.modules


def set_kind(tree, kind, *, key="pythonClassName", where="image"):
    features = tree["featuresDict"]["features"]
    node = {"image": features.get("image"), "root": tree}.get(where)
    if node is None:
        node = features.setdefault("neighbour", {"tensor": {"dtype": "int32", "shape": {}}})
    node[key] = kind


@pytest.mark.parametrize("key", ["pythonClassName", "python_class_name", "type"])
@pytest.mark.parametrize("where", ["image", "root", "neighbour"])
def test_no_class_that_a_file_names_is_imported(folder, version, want, trap, key, where):
    change(version / "features.json", lambda tree: set_kind(tree, trap, key=key, where=where))
    change(version / "dataset_info.json", lambda tree: tree.update(moduleName=trap[:-6]))
    if where == "image" and key == "pythonClassName":
        with pytest.raises(ValueError, match=f"uint8 images, .*{trap}"):
            load(folder)
    else:
        assert_is(load(folder), want)


BAD_NAMES = ["../x", "/etc/passwd", "a/../../x", "a/b", ".", "..", "", None, 3, "a\0b", "x" * 10**6]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_of_files_do_not_leave_the_folder(folder, version, name):
    info = version / "dataset_info.json"
    before = info.read_bytes()
    for edit in (
        lambda tree: tree.update(name=name),
        lambda tree: tree["splits"][0].update(name=name),
    ):
        change(info, edit)
        with pytest.raises(ValueError, match="dataset_info.json is damaged|has no .*train"):
            load(folder)
        info.write_bytes(before)


TEMPLATES = ["../{SPLIT}", "/etc/passwd", "{SPLIT}/../../x", "{SPLIT:>100000000000}", "{0}",
             "{SPLIT.__class__}", "{SPLIT[0]}", "a//b", "./x", 3, ["x"]]  # fmt: skip


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_of_files_do_not_leave_the_folder(folder, version, template):
    change(
        version / "dataset_info.json",
        lambda tree: tree["splits"][0].update(filepathTemplate=template),
    )
    with pytest.raises(ValueError, match="dataset_info.json is damaged"):
        load(folder)


def test_files_of_another_template_are_read(folder, version, want):
    for split in ("train", "test"):
        (version / split).mkdir()
        (file,) = version.glob(f"*{split}.array_record*")
        file.rename(version / split / "data-0.array_record")
    change(
        version / "dataset_info.json",
        lambda tree: [
            split.update(filepathTemplate="{SPLIT}/data-0.{FILEFORMAT}") for split in tree["splits"]
        ],
    )
    assert_is(load(folder), want)


@pytest.mark.parametrize(
    "name",
    ["../tiny", "/tmp/tiny", "a/../tiny", "tiny/..", "", ".", "..", "tiny/", "a\\b", "gs://b/x"],
)
@pytest.mark.parametrize("use", [data.load, data.available, data.export])
def test_a_name_that_leaves_the_data_folder_is_refused(use, name, tmp_path):
    with pytest.raises(ValueError, match="name must be that of a data set in the data folder, got"):
        use(name, tmp_path) if use is data.export else use(name, data_dir=tmp_path)


@pytest.mark.parametrize("file", ["features.json", "dataset_info.json"])
def test_torn_or_changed_json_is_named_or_changes_nothing(folder, version, want, file):
    """120 flipped bits, truncations and other texts."""
    path, rng = version / file, np.random.default_rng(0)
    content = path.read_bytes()
    texts = [b"", b"[]", b"3", b"null", b"{}", b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe"]
    for _ in range(50):
        place = int(rng.integers(8 * len(content)))
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        texts += [bytes(flipped), content[: int(rng.integers(len(content)))]]
    for text in texts:
        path.write_bytes(text)
        try:
            got = load(folder)
        except ValueError as error:
            assert str(version) in str(error) or "tiny must" in str(error), error
        else:
            assert_is(got, want)


@pytest.mark.parametrize("file", ["features.json", "dataset_info.json", "train", "test"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "nothing"])
def test_what_is_no_file_is_named_and_nothing_hangs(folder, version, file, kind):
    (path,) = version.glob(f"*{file}*")
    path.unlink()
    make = {
        "pipe": os.mkfifo,
        "device": lambda path: path.symlink_to("/dev/zero"),
        "folder": os.mkdir,
        "nothing": lambda path: path.symlink_to("nothing"),
    }
    make[kind](path)
    with pytest.raises((ValueError, FileNotFoundError), match=f"{path.name}|is not prepared"):
        load(folder)


def test_odd_neighbours_are_ignored(folder, version, want):
    for name in ("a.b.c", "2.0.0.bak", "10.0.0-rc", "1.2", "incomplete.ABC_3.0.0", "٣.0.0"):
        shutil.copytree(version, version.with_name(name))
    version.with_name("4.0.0").mkdir()
    (folder / "tiny" / "notes.txt").touch()
    (version / "dangling").symlink_to("nothing")
    os.mkfifo(version / "pipe")
    (version / "folder").mkdir()
    assert_is(load(folder), want)
    got = data.load("tiny", data_dir=folder, validation=0)  # with the decoded copy
    assert_is((got.train, got.test), want)


def test_records_and_labels_are_as_they_are_described(folder, version):
    info, features = version / "dataset_info.json", version / "features.json"
    before = info.read_bytes()
    for lengths in (["59"], ["61"], ["9" * 18], ["60", "60"], ["-1"], "60", [None]):
        change(info, lambda tree, n=lengths: tree["splits"][0].update(shardLengths=n))
        with pytest.raises(ValueError, match=str(version)):
            load(folder)
        info.write_bytes(before)
    change(
        features,
        lambda tree: tree["featuresDict"]["features"]["label"]["classLabel"].update(numClasses="2"),
    )
    with pytest.raises(ValueError, match=r"a label must be one number under the 2 classes, got .2"):
        load(folder)
    source = data.TfdsSource("tiny", "train", data_dir=folder)
    with pytest.raises(ValueError, match="under the 2 classes"):
        source[range(60)]


@pytest.mark.slow
def test_a_changed_byte_of_the_records_is_found(folder, version, want):
    rng = np.random.default_rng(0)
    (path,) = version.glob("*train*array_record*")
    content = path.read_bytes()
    found = 0
    for trial in range(40):
        changed = bytearray(content)
        place = int(rng.integers(len(content) if trial % 2 else 20_000))
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed if trial % 4 else content[:place])
        try:
            got = load(folder)
        except ValueError as error:
            assert "damaged" in str(error) and str(version) in str(error)
            found += 1
        else:
            assert_is(got, want)
    assert found > 10


FEATURES = Features((4, 4, 3), 3)


def encoded(kind, *, size=(4, 4), mode="RGB"):
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["EPS", "GIF", "BMP", "TIFF", "PPM", "TGA", "ICO", "PDF"])
def test_images_are_png_or_jpeg(kind):
    with pytest.raises(ValueError, match="tiny has an image that is not PNG or JPEG"):
        decoder_of("tiny", FEATURES)(encoded(kind, size=(16, 16) if kind == "ICO" else (4, 4)))


def test_pngs_and_jpegs_are_read():
    for kind in ("PNG", "JPEG"):
        assert decoder_of("tiny", FEATURES)(encoded(kind)).shape == (4, 4, 3)


def test_the_size_in_the_header_is_compared_before_anything_is_decoded():
    """A few bytes that state a picture of 243 MB, or of more than Pillow takes."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    for size, said in ((9_000, "of 4 x 4, got a file of 9000 x 9000"), (20_000, "exceeds limit")):
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0))
        bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b""))
        with pytest.raises(ValueError, match=said):
            decoder_of("tiny", FEATURES)(bomb)
    with pytest.raises(ValueError, match="must have images of 4 x 4, got a file of 5 x 4"):
        decoder_of("tiny", FEATURES)(encoded("PNG", size=(4, 5)))


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n", encoded("PNG")[:-30], encoded("JPEG")[:-200]]
)
def test_a_torn_image_is_named(content):
    with pytest.raises(ValueError, match="tiny has an? .*image"):
        decoder_of("tiny", FEATURES)(content)


def test_images_of_more_bits_are_refused():
    with pytest.raises(ValueError, match="images of 8 bits, got one of mode I"):
        decoder_of("tiny", Features((4, 4, 1), 3))(encoded("PNG", mode="I;16"))


@pytest.fixture
def arrays(tiny, tmp_path):
    file = data.export("tiny", tmp_path / "exported", data_dir=tiny)
    with np.load(file) as archive:
        return file, {name: archive[name] for name in archive.files if name != "sha256"}


@pytest.mark.slow
def test_a_compressed_archive_is_refused(arrays):
    file, content = arrays
    content["train_image"] = np.zeros((60, 1000, 1000, 3), np.uint8)  # 180 MB in 180 kB
    np.savez_compressed(file, sha256=checksum(content), **content)
    assert file.stat().st_size < 10**6
    with pytest.raises(ValueError, match=f"{file} is damaged.*larger than the file|is compressed"):
        load(file.parent)


def test_an_array_that_states_another_size_is_refused(arrays):
    file, _ = arrays
    content = file.read_bytes()
    shape = b"(60, 4, 4, 3)"
    assert content.count(shape) == 1
    file.write_bytes(content.replace(shape, b"(60, 4, 4, 9)"))
    with pytest.raises(ValueError, match=f"{file} is damaged"):
        load(file.parent)


STRANGE = {
    "missing": lambda arrays: arrays.pop("test_label"),
    "lengths": lambda arrays: arrays.update(train_label=arrays["train_label"][:-1]),
    "negative": lambda arrays: arrays.update(train_label=arrays["train_label"] - 1),
    "label's type": lambda arrays: arrays.update(train_label=arrays["train_label"].astype(float)),
    "label's rank": lambda arrays: arrays.update(train_label=arrays["train_label"][:, None]),
    "image's rank": lambda arrays: arrays.update(train_image=arrays["train_image"][..., 0]),
    "image's type": lambda arrays: arrays.update(train_image=arrays["train_image"].astype(float)),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_an_exported_file_with_the_right_sum_and_strange_arrays_is_refused(arrays, kind):
    file, content = arrays
    STRANGE[kind](content)
    np.savez(file, sha256=checksum(content), **content)
    with pytest.raises(ValueError, match=f"{file} is damaged"):
        load(file.parent)


def test_a_huge_label_takes_no_memory(arrays):
    file, content = arrays
    content["train_label"][0] = 2**31 - 1
    np.savez(file, sha256=checksum(content), **content)
    got = data.load("tiny", data_dir=file.parent, validation=6, limit=30)
    assert len(got.train["label"]) == 24


@pytest.mark.parametrize("kind", ["pipe", "strange arrays", "device", *STRANGE])
def test_a_strange_decoded_copy_is_not_used(tiny, want, own_cache, kind):
    def whole():
        got = data.load("tiny", data_dir=tiny, validation=0)
        return got.train, got.test

    whole()
    (file,) = own_cache.iterdir()
    with np.load(file) as archive:
        content = {name: archive[name] for name in archive.files if name != "sha256"}
    if kind in ("pipe", "device"):
        file.unlink()
        os.mkfifo(file) if kind == "pipe" else file.symlink_to("/dev/zero")
    else:
        names = {"train_label": "train_labels", "train_image": "train_images"}
        renamed = {name: content[old] for name, old in names.items()}
        renamed["test_label"] = content["test_labels"]
        edit = STRANGE.get(kind, lambda arrays: arrays.update(train_label=np.zeros(3)))
        edit(renamed)
        content = {**content, **{names[name]: renamed[name] for name in names}}
        if kind == "missing":
            content.pop("test_places")
        np.savez(file, sha256=checksum(content), **content)
    assert_is(whole(), want)


PLACES = {
    "load": lambda path: data.load("tiny", data_dir=path),
    "available": lambda path: data.available("tiny", data_dir=path),
    "export from": lambda path: data.export("tiny", "x", data_dir=path),
    "export to": lambda path: data.export("tiny", path),
    "TfdsSource": lambda path: data.TfdsSource("tiny", "train", data_dir=path),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("path", ["gs://bucket/x", "s3://b", "http://x/y", "hdfs://x", "file:///x"])
def test_addresses_are_refused_by_name(place, path):
    with pytest.raises(ValueError, match=f"must be a path of this machine, got '{path}'"):
        PLACES[place](path)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("path", [3, b"x", ["x"]])
def test_what_is_no_path_is_named(place, path):
    with untyped(), pytest.raises(TypeError, match="must be a path, got"):
        PLACES[place](path)


def test_the_home_folder_is_meant_by_a_tilde_everywhere(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny / "tiny", tmp_path / "sets" / "tiny")
    file = data.export("tiny", "~/exported", data_dir="~/sets")
    assert file == tmp_path / "exported" / "tiny.npz" and not (tmp_path / "~").exists()
    assert data.available("tiny", data_dir="~/sets")
    assert len(data.TfdsSource("tiny", "train", data_dir="~/sets")) == 60
    for variable, folder in (("TFDS_DATA_DIR", "~/sets"), ("JAXTRICKS_DATA_DIR", "~/exported")):
        monkeypatch.setenv(variable, folder)
        assert_is(load(None), load("~/sets"))
