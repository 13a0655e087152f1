"""Standardisation against its definition and against scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import data


def test_standardized_features_have_mean_zero_and_deviation_one():
    x = np.random.default_rng(0).normal(3.0, [0.1, 10.0, 2.0], (500, 3))
    y = np.asarray(data.standardize(x).apply(x))
    assert np.allclose(y.mean(axis=0), 0, atol=1e-5) and np.allclose(y.std(axis=0), 1, atol=1e-5)
    unbiased = np.asarray(data.standardize(x, ddof=1).apply(x))
    assert np.allclose(unbiased.std(axis=0, ddof=1), 1, atol=1e-5)


def test_statistics_are_of_the_training_examples_only():
    scale = data.standardize(np.array([[0.0], [2.0]]))
    assert scale.apply(np.array([[101.0]])).tolist() == [[100.0]]


def test_agrees_with_scikit_learn_on_digits():
    from sklearn.preprocessing import StandardScaler

    splits = data.load("digits")
    train, test = (p["image"].reshape(len(p["label"]), -1) for p in (splits.train, splits.test))
    want = StandardScaler().fit(train.astype(np.float64)).transform(test.astype(np.float64))
    got = data.standardize(train).apply(test)
    assert np.any(np.ptp(train, axis=0) == 0)
    assert np.allclose(np.asarray(got), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("value", [0.1, 1e8, 255])
def test_constant_features_become_zero_and_come_back(value):
    x = np.full((1000, 1), value)
    scale = data.standardize(x)
    assert np.allclose(np.asarray(scale.apply(x)), 0.0, atol=1e-6 * value)
    assert np.allclose(np.asarray(scale.inverse(scale.apply(x))), x)


def test_inverse_and_channels_under_jit():
    images = np.random.default_rng(1).integers(0, 256, (20, 4, 4, 3), np.uint8)
    scale = data.standardize(images, axis=(0, 1, 2))
    assert scale.mean.shape == (1, 1, 1, 3)
    back = jax.jit(lambda s, x: s.inverse(s.apply(x)))(scale, jnp.asarray(images))
    assert np.allclose(np.asarray(back), images, atol=1e-3)


def test_standardizer_follows_the_dtype_of_the_point():
    with jax.enable_x64(True):
        scale = data.standardize(np.array([[1.0], [2.0], [4.0]]))
        assert scale.mean.dtype == jnp.float64
        assert scale.apply(jnp.ones((1, 1), jnp.bfloat16)).dtype == jnp.bfloat16
        exact = np.array([[-4.0], [-1.0], [5.0]]) / np.sqrt(14)
        got = scale.apply(np.array([[1.0], [2.0], [4.0]]))
        assert np.allclose(np.asarray(got), exact, rtol=1e-14)


def test_too_few_examples():
    with pytest.raises(ValueError, match=r"more than ddof = 1 values .* \(1, 2\)"):
        data.standardize(np.ones((1, 2)), ddof=1)
    with pytest.raises(ValueError, match=r"more than ddof = 0 values .* \(0, 2\)"):
        data.standardize(np.ones((0, 2)))


def test_complex_examples_are_refused():
    with pytest.raises(TypeError, match="examples must be real numbers, got complex128"):
        data.standardize(np.array([[1j], [2.0]]))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_narrow_examples_are_standardized_in_single_precision(dtype):
    x = jnp.asarray([[100.0], [100.5]], dtype)
    scale = data.standardize(x)
    assert scale.apply(x).tolist() == [[-1.0], [1.0]]
    assert scale.inverse(scale.apply(x)).tolist() == x.tolist()
    assert data.zero_center(x).apply(x).tolist() == [[-0.25], [0.25]]
    assert scale.apply(x).dtype == scale.inverse(x).dtype == dtype


@pytest.mark.parametrize("size", [1e-50, 1e-40])
def test_a_deviation_that_float32_cannot_hold_is_none(size):
    x = np.array([[size, 2.0], [3 * size, 3.0]])
    scale = data.standardize(x)
    assert scale.std.tolist() == [[1.0, 0.5]]
    assert np.all(np.isfinite(scale.apply(x)))
