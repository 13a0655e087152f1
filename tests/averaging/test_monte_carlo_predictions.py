"""Monte-Carlo averages: numpy's over all passes, and what weight scaling is exactly."""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import averaging, models
from jaxtricks.regularizers import dropout
from tests.untyped import untyped

KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (5, 6))
WEIGHTS = jax.random.normal(jax.random.key(2), (6, 3))
VARIABLES = {"params": WEIGHTS}


def linear(key, variables, x):
    """Softmax regression with dropout on its input."""
    return dropout(key, x, 0.5) @ variables["params"]


def average(samples, apply=linear, variables=VARIABLES, x=X):
    call = jax.jit(lambda key: averaging.monte_carlo_predictions(
        key, apply, variables, x, samples=samples))  # fmt: skip
    return call(KEY)


@pytest.mark.slow
@pytest.mark.parametrize("samples", [1, 2, 7])
def test_it_is_the_mean_and_the_variance_of_the_passes(samples):
    keys = jax.random.split(KEY, samples)
    logits = np.stack([linear(key, VARIABLES, X) for key in keys]).astype(np.float64)
    p = np.exp(logits - np.log(np.sum(np.exp(logits), axis=-1, keepdims=True)))
    found = average(samples)
    np.testing.assert_allclose(np.exp(found.arithmetic), p.mean(axis=0), rtol=1e-5)
    geometric = np.exp(np.log(p).mean(axis=0))
    geometric /= geometric.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(np.exp(found.geometric), geometric, rtol=1e-5)
    if samples == 1:
        assert np.all(np.isnan(found.variance))
    else:
        np.testing.assert_allclose(found.variance, p.var(axis=0, ddof=1), rtol=1e-4, atol=1e-9)


def test_weight_scaling_is_the_geometric_mean_of_all_masks_of_softmax_regression():
    """Of all 64 masks, exactly; of sampled ones within their standard error."""
    masks = np.array(list(itertools.product([0.0, 2.0], repeat=6)), np.float32)
    logits = np.einsum("mi,bi,ic->mbc", masks, np.asarray(X), np.asarray(WEIGHTS))
    exact = jax.nn.log_softmax(jnp.asarray(logits).mean(axis=0))
    scaled = jax.nn.log_softmax(X @ WEIGHTS)
    np.testing.assert_allclose(exact, scaled, rtol=1e-4, atol=1e-5)
    sampled = average(4000).geometric
    error = 5 * logits.std(axis=0).max() / 4000**0.5
    assert np.max(np.abs(np.asarray(sampled) - np.asarray(scaled))) < 2 * error


@pytest.mark.slow
def test_a_model_with_dropout_layers():
    net = models.MLP((16, 3), dropout_rates=0.5)
    variables = jax.jit(lambda: net.init(KEY, X, train=False))()

    def apply(key, variables, x):
        return net.apply(variables, x, train=True, rngs={"dropout": key})

    found = average(50, apply, variables)
    np.testing.assert_allclose(np.exp(found.arithmetic).sum(axis=-1), 1, rtol=1e-5)
    assert np.all(found.variance > 0)


@pytest.mark.slow
def test_the_same_key_gives_the_same_numbers_and_narrow_scores_are_widened():
    chex.assert_trees_all_equal(average(3), average(3))
    found = average(3, lambda key, w, x: linear(key, w, x).astype(jnp.bfloat16))
    assert {leaf.dtype for leaf in found} == {jnp.dtype(jnp.float32)}


def test_no_probability_is_rounded_to_nothing():
    def sure(key, variables, x):
        return jnp.array([[0.0, -300.0]])

    found = average(4, sure)
    np.testing.assert_allclose(found.arithmetic, [[0.0, -300.0]], rtol=1e-6)


def test_bad_arguments_are_named():
    def call(key=KEY, apply=linear, samples=2):
        return averaging.monte_carlo_predictions(key, apply, VARIABLES, X, samples=samples)

    with pytest.raises(ValueError, match="samples must be at least 1, got 0"):
        call(samples=0)
    with pytest.raises(
        ValueError, match=r"apply must return logits \[batch, classes\], got \(5,\)"
    ):
        call(apply=lambda key, w, x: x[:, 0])
    with untyped():
        with pytest.raises(TypeError, match="samples must be an integer, got 1.5"):
            call(samples=1.5)
        with pytest.raises(TypeError, match="key must be a typed key"):
            call(key=0)
        with pytest.raises(TypeError, match="apply must be a function"):
            call(apply=WEIGHTS)
        with pytest.raises(TypeError, match="apply must return floating logits, got int32"):
            call(apply=lambda key, w, x: jnp.ones((5, 3), jnp.int32))
