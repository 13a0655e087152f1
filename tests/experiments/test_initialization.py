"""Numbers of the initialisation and normalisation experiments that have a closed form."""

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.initialization import _ten_layers as ten_layers
from experiments.initialization import which_variance_keeps_signal_and_gradient as variance
from experiments.normalization import what_does_batch_norm_compute as walk


def test_the_law_of_rectifiers_is_a_geometric_series():
    """Each layer halves the mean square that N sigma^2 multiplies, forward and back."""
    for name, gain in (("He, ReLU", 2.0), ("Xavier, ReLU", 1.0), ("Xavier / 2, ReLU", 0.5)):
        law = ten_layers.theory(ten_layers.ARMS[name], 500)
        layers = ten_layers.LAYERS
        # The first pre-activations have the variance N sigma^2 of unit inputs.
        np.testing.assert_allclose(law["theory_rms"], (gain / 2) ** (layers / 2), rtol=1e-5)
        np.testing.assert_allclose(
            law["theory_gradient"], (gain / 2) ** ((10 - layers) / 2), rtol=1e-3
        )


def test_the_law_of_small_signals_is_linear():
    """tanh is the identity there: N sigma^2 = 0.05 a layer; the sigmoid's slope is 1/4."""
    small = ten_layers.theory(ten_layers.ARMS["N(0, 0.01), tanh"], 500)
    np.testing.assert_allclose(
        small["theory_rms"][1:] / small["theory_rms"][:-1], 0.05**0.5, rtol=0.05
    )
    sigmoid = ten_layers.theory(ten_layers.ARMS["Xavier, sigmoid"], 500)
    steps = sigmoid["theory_gradient"][:-1] / sigmoid["theory_gradient"][1:]
    np.testing.assert_allclose(steps, 0.25, rtol=0.1)


@pytest.mark.parametrize("name", ["Xavier, tanh", "N(0, 1), tanh", "He, ReLU"])
def test_measured_layers_follow_the_law_of_infinite_width(name):
    """Within four standard errors of the draws, and what width 200 is short of infinity."""
    arm = ten_layers.ARMS[name]
    found = ten_layers.measure(arm, width=200, examples=40, draws=6)
    for key in ("rms", "gradient"):
        logs = np.log(found[key])
        error = 4 * logs.std(axis=0, ddof=1) / 6**0.5 + 0.03
        assert np.all(np.abs(logs.mean(axis=0) - np.log(found[f"theory_{key}"])) < error)


def test_gains_of_a_layer_are_its_fans_times_the_variance():
    results = variance.run(variance.Config(sizes=(40, 20), inputs=30, examples=400, draws=100))
    for name, rows in results["gains"].items():
        np.testing.assert_allclose(rows.mean(axis=0)[0], variance.law(name, 40, 20), rtol=0.05)
    np.testing.assert_allclose(results["sums"].mean(axis=0), [30 * 0.08, 30 * 0.12], rtol=0.05)


def test_the_walk_is_algorithm_1_in_double_precision():
    results = walk.run(walk.SMOKE)
    x = walk.BATCH.astype(np.float64)
    normalised = (x - x.mean(0)) / np.sqrt(x.var(0) + walk.EPS)
    np.testing.assert_allclose(results["normalised"], normalised, atol=1e-6)
    np.testing.assert_allclose(results["output"], walk.GAMMA * normalised + walk.BETA, atol=1e-6)
    np.testing.assert_allclose(results["restored"], walk.BATCH, rtol=1e-6)
    assert jnp.shape(results["kurtosis"]) == (2, 2)
