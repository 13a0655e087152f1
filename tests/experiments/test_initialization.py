"""Numbers of the initialisation experiments that have a closed form."""

import math

import jax
import numpy as np
import pytest

from experiments.initialization import _ten_layers as ten_layers
from experiments.initialization import does_a_zero_start_learn as zero
from experiments.initialization import does_he_keep_the_variance as he
from experiments.initialization import which_variance_keeps_signal_and_gradient as variance
from experiments.initialization._roughness import bowl, unexplained


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


def test_batch_norm_makes_every_start_the_same_start():
    """tanh of N(0, 1) in each layer; back, E[tanh'^2] / E[tanh^2] = 1.18 a layer."""
    small, large = (
        ten_layers.theory(ten_layers.ARMS[f"{start}, tanh, batch norm"], 500)
        for start in ("N(0, 0.01)", "N(0, 1)")
    )
    for key, values in small.items():
        np.testing.assert_allclose(values, large[key], rtol=1e-5)
    z = np.random.default_rng(0).standard_normal(1_000_000)
    square, slope = np.mean(np.tanh(z) ** 2), np.mean((1 - np.tanh(z) ** 2) ** 2)
    np.testing.assert_allclose(small["theory_rms"], square**0.5, rtol=2e-3)
    growth = small["theory_gradient"][:-1] / small["theory_gradient"][1:]
    np.testing.assert_allclose(growth, (slope / square) ** 0.5, rtol=3e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ten_layers.ARMS)
def test_measured_layers_follow_the_law_of_infinite_width(name):
    """Within four standard errors of the draws, and what width 200 and 40 examples are short of
    infinity: with batch norm 1 / 40 a layer of the gradient."""
    arm = ten_layers.ARMS[name]
    found = ten_layers.measure(arm, width=200, examples=40, draws=6)
    short = 0.03 + arm.batch_norm * (10 - ten_layers.LAYERS) / 40
    for key in ("rms", "gradient"):
        logs = np.log(found[key])
        error = 4 * logs.std(axis=0, ddof=1) / 6**0.5 + short
        assert np.all(np.abs(logs.mean(axis=0) - np.log(found[f"theory_{key}"])) < error)
    if name == "He, ReLU":
        np.testing.assert_allclose(found["zero"].mean(axis=0), 0.5, atol=0.05)
    if name == "N(0, 1), tanh":  # the first layer's pre-activations are N(0, 200)
        law = 1 - math.erf(math.atanh(0.99) / 200**0.5 / 2**0.5)
        np.testing.assert_allclose(found["saturated"][:, 0].mean(), law, atol=0.01)


def test_columns_that_differ_by_rounding_are_one_unit():
    kernel = np.array([[1.0, 1.0 + 1e-6, 2.0], [3.0, 3.0, 3.0]])
    np.testing.assert_array_equal(zero.units(np.stack([kernel, np.ones((2, 3))])), [2, 1])


def test_a_cubic_is_what_no_parabola_explains():
    """x^3 = 2/5 P_3 + 3/5 P_1 in Legendre's polynomials: of its variance 1/7, 4/175 is left."""
    side = np.linspace(-1, 1, 401)
    cubic = np.broadcast_to(side[:, None] ** 3, (401, 401))
    assert unexplained(cubic) == pytest.approx(4 / 25, rel=0.02)
    assert unexplained(1 + side[:, None] * side + side**2) < 1e-12


@pytest.mark.slow
def test_a_bowl_has_its_curvature_everywhere():
    found = bowl(jax.random.key(1), updates=10, lanczos=15, side=5)
    np.testing.assert_allclose(found["top"], 1, rtol=1e-3)
    assert max(found["rough"]) < 1e-6


@pytest.mark.slow
def test_gains_of_a_layer_are_its_fans_times_the_variance():
    results = variance.run(
        variance.Config(inputs=(30,), equal=(20,), sizes=(40, 20), examples=400, draws=100)
    )
    for name, rows in results["gains"].items():
        np.testing.assert_allclose(rows.mean(axis=0)[0], variance.law(name, 40, 20), rtol=0.05)
    np.testing.assert_allclose(results["equal"].mean(axis=0), [[1, 1]], rtol=0.05)
    np.testing.assert_allclose(results["sums"].mean(axis=0), [[1, 1.5]], rtol=0.05)


@pytest.mark.slow
def test_gains_of_unequal_relu_layers_follow_he_s_law():
    """4 / (N_in + N_out) multiplies the mean square by 2 N_in / (N_in + N_out), 2 / N_in by 1."""
    config = he.Config(
        width=20, examples=10, draws=2, sizes=(40, 20, 40), batch=20, unequal_draws=2000
    )
    results = he.run(config)
    gains = {name: rows.mean(axis=0) for name, rows in results["unequal"].items()}
    np.testing.assert_allclose(gains[he.PRINTED], [80 / 60, 40 / 60], rtol=0.05)
    np.testing.assert_allclose(gains[he.FAN_IN], [1, 1], rtol=0.05)
    rms = results["arms"][he.HE]["rms"]
    np.testing.assert_allclose(he.equal_gains(results).prod(axis=1), rms[:, -1] ** 2, rtol=1e-4)
