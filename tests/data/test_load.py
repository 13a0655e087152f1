"""Reading digits, and images prepared by TFDS, from a small set written here."""

import os
import re
import shutil

import numpy as np
import pytest

from jaxtricks import data
from tests.data.tiny_set import picture, refuse_packages, write_tiny

pytestmark = pytest.mark.usefixtures("own_cache")


def index_of(image):
    return int(image[0, 0, 0])


def test_every_prepared_picture_arrives_once_with_its_label(tiny):
    splits = data.load("tiny", data_dir=tiny, validation=0.2)
    assert [len(part["label"]) for part in splits] == [48, 12, 20]
    for part in splits:
        assert part["image"].dtype == np.uint8 and part["label"].dtype == np.int32
        assert part["image"].shape[1:] == (4, 4, 3)
    learned = [*splits.train["image"], *splits.validation["image"]]
    assert sorted(index_of(image) for image in learned) == list(range(60))
    for part, split in zip(splits, ("train", "train", "test"), strict=True):
        shift = 100 if split == "test" else 0
        for image, label in zip(part["image"], part["label"], strict=True):
            assert np.array_equal(image, picture(index_of(image) - shift, split))
            assert label == (index_of(image) - shift) % 3
    assert np.bincount(splits.validation["label"]).tolist() == [4, 4, 4]


def test_limit_keeps_the_classes_balanced(tiny):
    splits = data.load("tiny", data_dir=tiny, validation=6, limit=18)
    assert [np.bincount(part["label"]).tolist() for part in splits] == [[4] * 3, [2] * 3, [6] * 3]


@pytest.mark.parametrize("name", ["tiny", "digits"])
def test_the_seed_decides(name, tiny):
    first, again, other = (data.load(name, data_dir=tiny, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first.validation["image"], again.validation["image"])
    assert not np.array_equal(first.validation["image"], other.validation["image"])


def test_environment_gives_the_folder(tiny, monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", os.fspath(tiny))
    assert data.available("tiny") and len(data.load("tiny").test["label"]) == 20
    assert not data.available("tiny", data_dir=tmp_path)


def test_newest_version_is_read(tiny, tmp_path):
    for version in ("9.0.0", "10.0.0"):
        shutil.copytree(tiny / "tiny" / "1.0.0", tmp_path / "tiny" / version)
    (tmp_path / "tiny" / "9.0.0" / "features.json").unlink()
    assert len(data.load("tiny", data_dir=tmp_path).test["label"]) == 20


def test_data_not_prepared(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        data.load("mnist", data_dir=tmp_path)
    message = str(error.value)
    assert f"mnist is not prepared in {tmp_path}" in message
    assert "install jaxtricks[prepare]" in message
    assert "tfds.builder('mnist'" in message and "download_and_prepare()" in message
    assert "data.export('mnist', 'FOLDER')" in message and "JAXTRICKS_DATA_DIR" in message


def test_the_command_of_the_message_is_one_tfds_takes(tmp_path):
    """All but the download is run: the builder exists and is set to the readable format."""
    import tensorflow_datasets as tfds

    with pytest.raises(FileNotFoundError) as error:
        data.load("mnist", data_dir=tmp_path)
    (call,) = re.findall(r"(tfds\.builder\(.*\))\.download", str(error.value))
    builder = eval(call, {"tfds": tfds})
    assert builder.info.file_format.value == "array_record"
    assert os.fspath(builder.data_dir).startswith(os.fspath(tmp_path / "mnist"))


def test_format_only_tensorflow_reads(tiny, tmp_path):
    shutil.copytree(tiny / "tiny", tmp_path / "tiny")
    info = tmp_path / "tiny" / "1.0.0" / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
    with pytest.raises(ValueError, match=r"in the format tfrecord, which only TensorFlow reads"):
        data.load("tiny", data_dir=tmp_path)


def test_no_images(tmp_path):
    write_tiny(tmp_path, image=None)
    with pytest.raises(ValueError, match=r"but has no \['image'\]"):
        data.load("tiny", data_dir=tmp_path)


@pytest.mark.parametrize("name, package", [("digits", "sklearn"), ("mnist", "tensorflow_datasets")])
def test_missing_package_names_the_extra(name, package, monkeypatch):
    refuse_packages(monkeypatch, package)
    with pytest.raises(ImportError, match=r"install jaxtricks\[data\]"):
        data.load(name)


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    splits = data.load("digits")
    assert [len(part["label"]) for part in splits] == [1294, 144, 359]
    pixels, digits = load_digits(return_X_y=True)
    want = sorted((label, *image) for image, label in zip(pixels, digits, strict=True))
    images = np.concatenate([part["image"] for part in splits])
    labels = np.concatenate([part["label"] for part in splits])
    assert images.max() == 255 and images.min() == 0
    greys = np.round(images / 255 * 16).reshape(1797, 64)
    assert sorted((label, *image) for image, label in zip(greys, labels, strict=True)) == want
    share = np.bincount(digits) / 1797
    for part in splits:
        assert np.all(np.abs(np.bincount(part["label"]) - share * len(part["label"])) <= 2)
    assert data.available("digits")


def test_digits_limit_and_empty_parts():
    splits = data.load("digits", validation=0, test=0, limit=50)
    assert [len(part["label"]) for part in splits] == [50, 0, 0]
    assert np.all(np.bincount(splits.train["label"]) == 5)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"validation": 1.0}, ValueError, r"validation must be in \[0.0, 1.0\), got 1.0"),
        ({"validation": -1}, ValueError, "validation must be at least 0, got -1"),
        ({"validation": 1438}, ValueError, "validation must leave some of the 1438 .*, got 1438"),
        ({"test": float("nan")}, ValueError, "test must be in .* got nan"),
        ({"limit": 0}, ValueError, "limit must be at least 1, got 0"),
        ({"limit": True}, TypeError, "limit must be an integer, got True"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        data.load("digits", **arguments)


def test_images_of_several_sizes(tmp_path):
    write_tiny(tmp_path, image=lambda i, split: picture(i, split)[: 2 + i % 2], shape=(None, 4, 3))
    with pytest.raises(ValueError, match=r"images of one shape, got \(2, 4, 3\) and \(3, 4, 3\)"):
        data.load("tiny", data_dir=tmp_path)


def test_grey_files_in_a_coloured_set_become_coloured(tmp_path):
    """As TFDS decodes them: each channel is the grey value."""
    write_tiny(tmp_path, image=lambda i, split: picture(i, split)[..., 0])
    splits = data.load("tiny", data_dir=tmp_path, validation=0)
    assert splits.test["image"].shape == (20, 4, 4, 3)
    for image in splits.test["image"]:
        grey = picture(index_of(image) - 100, "test")[..., :1]
        assert np.array_equal(image, np.repeat(grey, 3, axis=-1))


@pytest.mark.parametrize(
    "feature, message",
    [("label", "one class per image, got the feature"), ("image", "must have uint8 images")],
)
def test_other_kinds_of_features(feature, message, tmp_path):
    write_tiny(tmp_path, plain=feature)
    with pytest.raises(ValueError, match=message):
        data.load("tiny", data_dir=tmp_path)


def test_the_file_that_was_looked_for_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXTRICKS_DATA_DIR", str(tmp_path))
    with pytest.raises(FileNotFoundError) as error:
        data.load("no_such_set")
    assert f"nor is no_such_set.npz in {tmp_path} (JAXTRICKS_DATA_DIR)" in str(error.value)


def test_a_machine_without_a_home_folder_reads_what_it_is_shown(tiny, monkeypatch):
    """The folder by default was looked up first, and so was that of decoded copies."""

    def unknown(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.home", unknown)
    monkeypatch.delenv("JAXTRICKS_DATA_DIR", raising=False)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tiny))
    assert data.available("tiny")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert len(data.load("tiny", limit=18).test["label"]) == 18
