"""Resizing against Pillow, centring and one-hot rows against their definitions."""

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from jaxtricks import data

PILLOW = {"nearest": 0, "lanczos3": 1, "linear": 2, "cubic": 3}


@pytest.fixture(scope="module")
def images():
    """Noise, which shows every difference of kernels."""
    return np.random.default_rng(0).integers(0, 256, (3, 12, 10, 3), np.uint8)


@pytest.mark.parametrize("size", [(6, 5), (7, 4), (24, 30), (12, 10)])
@pytest.mark.parametrize("method", PILLOW)
def test_resize_is_that_of_pillow(images, size, method):
    """On floats, because Pillow rounds and cuts uint8 after each axis, not once."""
    from PIL import Image

    planes = np.moveaxis(images, 3, 1).reshape(9, 12, 10).astype(np.float32)
    want = np.stack(
        [np.asarray(Image.fromarray(p).resize(size[::-1], PILLOW[method])) for p in planes]
    )
    want = np.moveaxis(want.reshape(3, 3, *size), 1, 3)
    got = data.resize(images.astype(np.float32), size, method=method)
    assert np.allclose(got, want, atol=1e-2)
    levels = data.resize(images, size, method=method)
    assert levels.dtype == jnp.uint8 and levels.shape == (3, *size, 3)
    assert np.max(np.abs(np.asarray(levels) - np.clip(want, 0, 255))) <= 0.51


def test_the_same_size_changes_nothing(images):
    for method in ("nearest", "linear", "cubic", "lanczos3", "lanczos5"):
        assert np.array_equal(data.resize(images, (12, 10), method=method), images)


def test_overshoot_is_cut_and_does_not_wrap():
    edge = np.repeat(np.array([0, 0, 255, 255], np.uint8), 4).reshape(1, 4, 4, 1)
    got = np.asarray(data.resize(edge, (16, 4), method="cubic"))[0, :, 0, 0]
    assert np.all(np.diff(got.astype(int)) >= 0) and got[0] == 0 and got[-1] == 255
    smooth = data.resize(edge.astype(np.float32), (16, 4), method="cubic")
    assert smooth.max() > 255 and smooth.min() < 0


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_floats_stay_and_halving_averages(dtype):
    image = jnp.arange(4, dtype=dtype).reshape(1, 2, 2, 1)
    got = data.resize(image, (1, 1), antialias=False)
    assert got.dtype == dtype and got.item() == 1.5


def test_resize_under_jit_and_vmap(images):
    want = data.resize(images, (6, 5))
    one = jax.vmap(lambda image: data.resize(image[None], (6, 5))[0])
    assert np.array_equal(jax.jit(lambda x: data.resize(x, (6, 5)))(images), want)
    assert np.array_equal(jax.jit(one)(images), want)


@pytest.mark.slow
@pytest.mark.parametrize("axis, shape", [(0, (1, 12, 10, 3)), ((0, 1, 2), (1, 1, 1, 3))])
def test_centred_by_the_mean_of_the_training_images(images, axis, shape):
    train, test = images[:2], images[2:]
    center = data.zero_center(train, axis=axis)
    assert center.mean.shape == shape
    exact = train.astype(np.float64).mean(axis=axis)
    assert np.allclose(center.apply(train).mean(axis=axis), 0, atol=1e-4)
    assert np.allclose(center.apply(test), test - exact, atol=1e-4)
    assert np.allclose(center.inverse(center.apply(test)), test, atol=1e-4)


def test_one_hot_is_rows_of_the_identity():
    labels = np.array([[2, 0], [1, 2]], np.int32)
    got = data.one_hot(labels, 4)
    assert got.dtype == jnp.float32 and np.array_equal(got, np.eye(4)[labels])
    assert np.array_equal(jax.jit(lambda x: data.one_hot(x, 4))(labels), got)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda x: data.resize(x, (0, 5)), ValueError, "size must be at least 1, got 0"),
        (lambda x: data.resize(x, (2.0, 5)), TypeError, "size must be an integer, got 2.0"),
        (lambda x: data.resize(x, 5), TypeError, "size must be a pair, got 5"),
        (lambda x: data.resize(x, (5, 5), method="bilinear"), ValueError, "got 'bilinear'"),
        (lambda x: data.resize(x, (5, 5), antialias=1), TypeError, "antialias must be a bool"),
        (lambda x: data.resize(x[0], (5, 5)), ValueError, r"shape \(12, 10, 3\)"),
        (lambda x: data.resize(x[:0], (5, 5)), ValueError, r"not empty, got .* \(0, 12, 10"),
        (lambda x: data.resize(x.astype(int), (5, 5)), TypeError, "uint8 or floating, got int"),
        (lambda x: data.zero_center(x, axis=4), ValueError, "axis must name axes .* got 4"),
        (
            lambda x: data.zero_center(x[:0]),
            ValueError,
            "examples must have more than ddof = 0 values",
        ),
        (lambda x: data.one_hot(np.array([0, 3]), 3), ValueError, r"in \[0, 3\), got 3"),
        (lambda x: data.one_hot(np.array([-1]), 3), ValueError, r"in \[0, 3\), got -1"),
        (
            lambda x: data.one_hot(np.array([1.0]), 3),
            TypeError,
            "labels must be an array of integers",
        ),
        (lambda x: data.one_hot(np.array([1]), 0), ValueError, "classes must be at least 1, got 0"),
    ],
)
def test_bad_arguments(images, call, error, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(error, match=message):
        call(images)


def test_one_hot_rows_of_narrow_labels_have_one_1():
    """In uint8 the class 256 would be the class 0."""
    rows = data.one_hot(np.array([0, 3, 44], np.uint8), 300)
    assert rows.sum(axis=1).tolist() == [1, 1, 1] and rows.argmax(axis=1).tolist() == [0, 3, 44]
