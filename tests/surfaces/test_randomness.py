"""Gradient noise and random Hessians against their moments and probabilities."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import surfaces

BOWL = surfaces.quadratic((1.0, 20.0))
AT = jnp.array([1.0, -0.5])
SIGMA = np.array([[2.0, 0.8], [0.8, 1.0]])


@pytest.mark.parametrize(
    "covariance, full",
    [
        (3.0, 3.0 * np.eye(2)),
        (jnp.array([1.0, 4.0]), np.diag([1.0, 4.0])),
        (jnp.asarray(SIGMA), SIGMA),
        (jnp.ones((2, 2)), np.ones((2, 2))),
        (0.0, np.zeros((2, 2))),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 16])
def test_noise_has_mean_zero_and_covariance_over_batch_size(covariance, full, batch_size):
    noisy = surfaces.with_gradient_noise(BOWL, covariance, batch_size=batch_size)
    keys = jax.random.split(jax.random.key(0), 20_000)
    losses, gradients = jax.vmap(jax.value_and_grad(noisy, argnums=1), (0, None))(keys, AT)
    assert np.all(np.asarray(losses) == float(BOWL(AT)))
    noise = np.asarray(gradients) - np.array([1.0, -10.0])
    want = full / batch_size
    scale = max(np.abs(want).max(), 1e-10)
    assert np.all(np.abs(noise.mean(axis=0)) <= 4.5 * np.sqrt(scale / 20_000) + 1e-6)
    assert np.allclose(np.cov(noise.T), want, atol=0.06 * scale)


@pytest.mark.slow
def test_the_same_key_gives_the_same_noise_and_batch_size_is_data():
    def gradient(batch_size):
        noisy = surfaces.with_gradient_noise(BOWL, 1.0, batch_size=batch_size)
        return jax.grad(noisy, argnums=1)(jax.random.key(1), AT) - jax.grad(BOWL)(AT)

    noise = jax.vmap(gradient)(jnp.array([1.0, 4.0, 100.0]))
    chex.assert_trees_all_close(noise[0], 2 * noise[1], rtol=1e-4)
    chex.assert_trees_all_close(noise[0], 10 * noise[2], rtol=1e-3)


@pytest.mark.slow
def test_variances_are_data():
    def gradient(variance):
        noisy = surfaces.with_gradient_noise(BOWL, [variance, 4 * variance])
        return jax.grad(noisy, argnums=1)(jax.random.key(1), AT) - jax.grad(BOWL)(AT)

    got = jax.vmap(gradient)(jnp.array([1.0, 4.0]))
    chex.assert_trees_all_close(got, jnp.stack([gradient(1.0), gradient(4.0)]), rtol=1e-4)


@pytest.mark.slow
def test_noise_in_one_dimension_and_in_the_dtype_of_the_point():
    noisy = surfaces.with_gradient_noise(surfaces.inflection(), 1.0)
    gradient = jax.grad(noisy, argnums=1)(jax.random.key(0), jnp.asarray(1.0, jnp.bfloat16))
    assert gradient.shape == () and gradient.dtype == jnp.bfloat16


@pytest.mark.parametrize(
    "covariance, batch_size, message",
    [
        (-1.0, 1, "covariance must be finite and at least 0, got -1.0"),
        (jnp.ones((2, 3)), 1, r"covariance must be a square matrix, got the shape \(2, 3\)"),
        (jnp.array([[1.0, 2.0], [0.0, 1.0]]), 1, "covariance must be symmetric"),
        (jnp.array([[1.0, 2.0], [2.0, 1.0]]), 1, "positive semidefinite"),
        (1.0, 0, r"batch_size must be in \(0.0, inf\), got 0"),
    ],
)
def test_bad_noise(covariance, batch_size, message):
    with pytest.raises(ValueError, match=message):
        surfaces.with_gradient_noise(BOWL, covariance, batch_size=batch_size)


@pytest.mark.slow
@pytest.mark.parametrize(
    "dimension, probability",
    [
        (1, 1 / 2),
        (2, (2 - np.sqrt(2)) / 4),
        (3, (np.pi - 2 * np.sqrt(2)) / (4 * np.pi)),
    ],
)
def test_probability_of_a_minimum(dimension, probability):
    """F-023: known exactly for n = 1, 2, 3; within five standard errors of 50,000 draws."""
    n = 50_000
    keys = jax.random.split(jax.random.key(dimension), n)
    draws = jax.vmap(lambda key: surfaces.random_goe(key, dimension))(keys)
    share = np.mean(np.linalg.eigvalsh(np.asarray(draws)).min(axis=1) > 0)
    assert abs(share - probability) < 5 * np.sqrt(probability * (1 - probability) / n)


@pytest.mark.slow
def test_goe_variances_and_spectrum():
    matrix = np.asarray(surfaces.random_goe(jax.random.key(0), 400))
    assert np.array_equal(matrix, matrix.T)
    assert matrix[np.triu_indices(400, 1)].var() == pytest.approx(1.0, rel=0.03)
    assert np.diag(matrix).var() == pytest.approx(2.0, rel=0.3)
    edge = np.abs(np.linalg.eigvalsh(matrix)).max()
    assert edge == pytest.approx(2 * np.sqrt(400), rel=0.05)
    with pytest.raises(ValueError, match="dimension must be at least 1, got 0"):
        surfaces.random_goe(jax.random.key(0), 0)
