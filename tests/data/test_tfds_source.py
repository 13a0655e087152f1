"""Prepared images by their numbers, against the arrays that `load` gives."""

import concurrent.futures

import numpy as np
import pytest

from jaxtricks import data
from tests.data.tiny_set import picture, write_tiny


def test_rows_are_those_of_the_arrays(tiny):
    whole = data.load("tiny", data_dir=tiny, validation=0, cache=False)
    for split, part in (("train", whole.train), ("test", whole.test)):
        source = data.TfdsSource("tiny", split, data_dir=tiny)
        assert isinstance(source, data.Source) and len(source) == len(part["label"])
        numbers = np.array([3, 0, 3, len(source) - 1])
        rows = source[numbers]
        assert rows["image"].dtype == np.uint8 and rows["label"].dtype == np.int32
        assert np.array_equal(rows["image"], part["image"][numbers])
        assert np.array_equal(rows["label"], part["label"][numbers])


def test_parts_of_a_split_are_disjoint_and_whole(tiny):
    parts = [data.TfdsSource("tiny", f"train[{part}]", data_dir=tiny) for part in (":90%", "90%:")]
    assert [len(part) for part in parts] == [54, 6]
    seen = np.concatenate([part[range(len(part))]["image"][:, 0, 0, 0] for part in parts])
    assert sorted(seen.tolist()) == list(range(60))


def test_transform_makes_shapes_equal(tmp_path):
    write_tiny(tmp_path, image=lambda i, split: picture(i, split)[: 2 + i % 2], shape=(None, 4, 3))
    plain = data.TfdsSource("tiny", "train", data_dir=tmp_path)
    with pytest.raises(ValueError, match="images of one shape.*transform"):
        plain[range(60)]
    cut = data.TfdsSource("tiny", "train", data_dir=tmp_path, transform=lambda image: image[:2])
    rows = cut[range(60)]["image"]
    assert rows.shape == (60, 2, 4, 3)
    assert np.array_equal(rows, np.stack([picture(i, "train")[:2] for i in rows[:, 0, 0, 0]]))


@pytest.mark.slow
def test_many_threads_may_ask(tiny):
    source = data.TfdsSource("tiny", "train", data_dir=tiny)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda i: source[[i % 60]]["image"][0], range(600)))
    assert all(np.array_equal(row, rows[i % 60]) for i, row in enumerate(rows))
    assert len({row.tobytes() for row in rows}) == 60


@pytest.mark.parametrize("index", [-1, 60])
def test_numbers_out_of_range(tiny, index):
    source = data.TfdsSource("tiny", "train", data_dir=tiny)
    with pytest.raises(IndexError, match=r"indices must be in \[0, 60\), got "):
        source[[0, index]]


def test_bad_arguments(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"split must be one of \['test', 'train'\].*got 'trian'"):
        data.TfdsSource("tiny", "trian", data_dir=tiny)
    with pytest.raises(FileNotFoundError, match="imagenet2012 is not prepared"):
        data.TfdsSource("imagenet2012", "train", data_dir=tmp_path)
