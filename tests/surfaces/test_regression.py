"""Regression surfaces against the notes' gradients and against scikit-learn."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from jaxtricks import surfaces
from jaxtricks.optimizers import gradient_descent

KEY = jax.random.key(3)
INPUTS = jax.random.normal(KEY, (40, 3))
THETA = jnp.array([0.5, -1.0, 2.0])
TARGETS = INPUTS @ THETA + 0.1 * jax.random.normal(jax.random.key(4), (40,))
LABELS = jax.random.bernoulli(jax.random.key(5), jax.nn.sigmoid(INPUTS @ THETA)).astype(jnp.float32)


@pytest.mark.slow
@pytest.mark.parametrize("reduction, divisor", [("mean", 40), ("sum", 1)])
def test_gradient_is_the_mean_or_sum_of_error_times_input(reduction, divisor):
    """000:102: the gradient is sum (yhat - y) x / m."""
    at = jnp.array([1.0, 1.0, -1.0])
    linear = surfaces.least_squares(INPUTS, TARGETS, reduction=reduction)
    logistic = surfaces.logistic_regression(INPUTS, LABELS, reduction=reduction)
    for surface, output, y in (
        (linear, INPUTS @ at, TARGETS),
        (logistic, 1 / (1 + jnp.exp(-INPUTS @ at)), LABELS),
    ):
        want = np.asarray(INPUTS).T @ np.asarray(output - y) / divisor
        got = jax.jit(jax.grad(surface))(at)
        chex.assert_trees_all_close(got, jnp.asarray(want), rtol=1e-4)


@pytest.mark.slow
def test_without_half_the_loss_doubles():
    whole = surfaces.least_squares(INPUTS, TARGETS, half=False)
    assert whole(THETA) == pytest.approx(float(np.mean((INPUTS @ THETA - TARGETS) ** 2)), rel=1e-5)
    assert 2 * surfaces.least_squares(INPUTS, TARGETS)(THETA) == pytest.approx(float(whole(THETA)))


@pytest.mark.slow
def test_weight_zero_is_absence():
    """S-OPT-03: a ragged batch, padded with weight 0."""
    weights = jnp.ones(40).at[33:].set(0.0)
    for make, y in ((surfaces.least_squares, TARGETS), (surfaces.logistic_regression, LABELS)):
        padded, short = make(INPUTS, y, weights=weights), make(INPUTS[:33], y[:33])
        got, want = (jax.jit(jax.value_and_grad(surface))(THETA) for surface in (padded, short))
        chex.assert_trees_all_close(got, want, rtol=1e-5)
    padded = surfaces.least_squares(INPUTS, TARGETS, weights=weights)
    short = surfaces.least_squares(INPUTS[:33], TARGETS[:33])
    chex.assert_trees_all_close(padded.optimum, short.optimum, rtol=1e-4)


@pytest.mark.slow
def test_a_step_on_traced_rows():
    """Made inside a jitted step on a batch's rows, it is the mini-batch objective."""

    @jax.jit
    def gradient(rows):
        return jax.grad(surfaces.logistic_regression(INPUTS[rows], LABELS[rows]))(THETA)

    rows = jnp.array([3, 7, 7])
    one = [jax.grad(surfaces.logistic_regression(INPUTS[i][None], LABELS[i][None])) for i in rows]
    chex.assert_trees_all_close(gradient(rows), sum(g(THETA) for g in one) / 3, rtol=1e-5)


@pytest.mark.slow
def test_logistic_minimum_agrees_with_scikit_learn():
    surface = surfaces.logistic_regression(INPUTS, LABELS)
    end = surfaces.descend(
        gradient_descent(2.0), surface, surface.start, tolerance=1e-6, max_steps=5000
    )
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-8)
    model.fit(np.asarray(INPUTS, np.float64), np.asarray(LABELS))
    chex.assert_trees_all_close(end.point, jnp.asarray(model.coef_[0], jnp.float32), rtol=1e-3)


def test_large_logits_stay_finite():
    surface = surfaces.logistic_regression(jnp.array([[1e4], [-1e4]]), jnp.array([0, 1]))
    loss, gradient = jax.value_and_grad(surface)(jnp.ones(1))
    assert loss == pytest.approx(1e4) and gradient[0] == pytest.approx(1e4)


def test_labels_may_be_constants_of_a_traced_function():
    traced = jax.jit(lambda theta: surfaces.logistic_regression(INPUTS, LABELS)(theta))
    want = surfaces.logistic_regression(INPUTS, LABELS)(THETA)
    chex.assert_trees_all_close(traced(THETA), want, rtol=1e-6)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"labels must be in \[0, 1\]"):
        surfaces.logistic_regression(INPUTS, 2 * LABELS)


@pytest.mark.slow
def test_sparse_frequencies_follow_zipf():
    """Counts of each feature within five standard errors of n c / j^s; the targets fit exactly."""
    n = 20_000
    data = surfaces.random_sparse_features(KEY, n, 50, exponent=1.0, highest=0.6)
    expected = 0.6 / np.arange(1, 51)
    chex.assert_trees_all_close(data.frequencies, jnp.asarray(expected, jnp.float32), rtol=1e-6)
    error = np.sqrt(n * expected * (1 - expected))
    assert np.all(np.abs(np.asarray(data.inputs).sum(axis=0) - n * expected) < 5 * error)
    assert set(np.unique(data.inputs)) == {0.0, 1.0}
    assert surfaces.least_squares(data.inputs, data.targets)(data.weights) < 1e-9


@pytest.mark.slow
def test_sparse_noise_and_flat_exponent():
    data = surfaces.random_sparse_features(KEY, 5000, 3, exponent=0.0, noise=0.5)
    assert np.all(np.asarray(data.frequencies) == 0.5)
    residual = np.asarray(data.targets - data.inputs @ data.weights)
    assert residual.std() == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"examples": 0, "features": 2}, "examples must be at least 1, got 0"),
        ({"examples": 2, "features": 0}, "features must be at least 1, got 0"),
        ({"examples": 2, "features": 2, "highest": 1.5}, "highest must be in"),
        ({"examples": 2, "features": 2, "exponent": -1.0}, "exponent must be in"),
    ],
)
def test_bad_sparse_features(arguments, message):
    with pytest.raises(ValueError, match=message):
        surfaces.random_sparse_features(KEY, **arguments)
