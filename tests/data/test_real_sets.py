"""MNIST and CIFAR-10, where they are prepared."""

import numpy as np
import pytest

from jaxtricks import data
from tests.data.by_tfds import by_tfds


@pytest.mark.skipif(not data.available("cifar10"), reason="CIFAR-10 is not prepared")
def test_real_cifar10():
    """The classes stay balanced, and the means are the usual ones of all 50,000 images.

    Means of images scatter by 0.12 to 0.16, so those of 3,000 by 0.003.
    """
    splits = data.load("cifar10", validation=0, limit=3000)
    for part in (splits.train, splits.test):
        assert part["image"].shape == (3000, 32, 32, 3)
        assert np.bincount(part["label"]).tolist() == [300] * 10
    means = splits.train["image"].mean(axis=(0, 1, 2)) / 255
    assert np.allclose(means, [0.4914, 0.4822, 0.4465], atol=0.012)


@pytest.mark.skipif(not data.available("mnist"), reason="MNIST is not prepared")
def test_real_mnist():
    """A twentieth with the shares of the published class counts, and the usual mean 0.1307.

    Means of images scatter by 0.04, so that of 3,000 by 0.0007.
    """
    splits = data.load("mnist", validation=500, limit=3000)
    assert [len(part["image"]) for part in splits] == [2500, 500, 3000]
    assert {part["image"].shape[1:] for part in splits} == {(28, 28, 1)}
    train = np.concatenate([splits.train["label"], splits.validation["label"]])
    for labels, counts in (
        (train, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
        (splits.test["label"], [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
    ):
        want = 3000 * np.array(counts) / sum(counts)
        assert np.abs(np.bincount(labels) - want).max() <= 1
    images = np.concatenate([splits.train["image"], splits.validation["image"]])
    assert images.mean() / 255 == pytest.approx(0.1307, abs=3e-3)
    assert images.std() / 255 == pytest.approx(0.3081, abs=3e-3)


@pytest.mark.skipif(not data.available("mnist"), reason="MNIST is not prepared")
def test_a_choice_of_real_mnist_is_that_among_all_labels_of_tfds(own_cache):
    want = by_tfds("mnist", None, limit=100, seed=3)
    for cache in (False, True, True):
        got = data.load("mnist", validation=0, limit=100, seed=3, cache=cache)
        for part, split in zip((got.train, got.test), want, strict=True):
            assert part["image"].dtype == np.uint8 and part["label"].dtype == np.int32
            assert np.array_equal(part["image"], split["image"])
            assert np.array_equal(part["label"], split["label"])
    assert len(list(own_cache.iterdir())) == 1
