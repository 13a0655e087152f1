"""Laws of all layers that draw: what is expected in training, and what is not differentiated."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks.regularizers import (
    AlphaDropout,
    DropConnectDense,
    Dropout,
    GaussianDropout,
    StochasticDepth,
    alpha_dropout,
)

KEY = jax.random.key(0)
N, FEATURES = 2**15, 8
RATES = np.array([0.01, 0.1, 0.5, 0.9, 0.99, 0.9999], np.float32)
KEEP = np.round((1 - np.float64(RATES)) * 2**16) / 2**16  # as it is drawn
FAMILY = {
    "inverted": Dropout(0.5),
    "standard": Dropout(0.5, inverted=False),
    "whole columns": Dropout(0.5, mask_axes=(0, 2)),
    "whole examples": Dropout(0.5, mask_axes=(0,)),
    "stochastic depth": StochasticDepth(0.5),
    "stochastic depth, standard": StochasticDepth(0.5, inverted=False),
}
GAUSSIAN = {"gaussian": GaussianDropout(0.5)}
ALPHA = {"alpha": AlphaDropout(0.5)}


def apply(layer, x, rate, *, train=True, key=KEY):
    return layer.apply({}, x, train=train, rate=rate, rngs={"dropout": key})


@pytest.mark.slow
def test_the_mean_in_training_is_the_output_in_evaluation():
    """Within five standard errors of 32,768 draws, at rates up to 0.9999, where 3 or 4 stay."""
    row = jnp.linspace(-1, 2, FEATURES).reshape(1, FEATURES)
    one = row[:, None]
    x = jnp.broadcast_to(one, (N, 1, FEATURES))

    @jax.jit
    @jax.vmap
    def means(rate):
        return {
            name: (
                jnp.mean(apply(layer, x, rate), 0)[0],
                apply(layer, one, rate, train=False)[0, 0],
            )
            for name, layer in (FAMILY | GAUSSIAN).items()
        }

    for name, (mean, evaluated) in jax.device_get(means(RATES)).items():
        keep = KEEP[:, None] if name not in GAUSSIAN else 1 - np.float64(RATES[:, None])
        deviation = np.sqrt((1 - keep) / keep) * (keep if "standard" in name else 1)
        error = deviation * np.abs(np.asarray(row)) / N**0.5
        assert np.all(np.abs(mean - evaluated) <= 5 * error + 1e-5), name
        assert np.all(np.abs(evaluated) > 0), name


@pytest.mark.slow
def test_alpha_dropout_keeps_mean_and_variance_at_the_rates_where_hardly_anything_stays():
    """For standard normal inputs; the variance within five of its own errors."""
    x, n = jax.random.normal(jax.random.key(1), (2**19,)), 2**19

    @jax.jit
    @jax.vmap
    def moments(rate):
        y = alpha_dropout(KEY, x, rate)
        mean = jnp.mean(y)
        return mean, jnp.mean((y - mean) ** 2), jnp.mean((y - mean) ** 4)

    mean, variance, fourth = (np.float64(m) for m in moments(RATES))
    assert np.all(np.abs(mean) < 5 / n**0.5)
    assert np.all(np.abs(variance - 1) < 5 * ((fourth - 1) / n) ** 0.5)
    assert np.all(((fourth - 1) / n)[RATES <= 0.99] ** 0.5 < 0.02)  # so that this says something


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.3, 0.99])
def test_gradients_of_dropped_entries_are_zero_whatever_comes_back(rate):
    """Infinite entries and a NaN from the loss included; the others' are the scaled slopes."""
    shape = (30, 6, 8)
    slope = 1 + jax.random.uniform(jax.random.key(2), shape)
    ones = jnp.ones(shape)

    @jax.jit
    def run(rate):
        def gradient(layer):
            stays = jax.grad(lambda x: jnp.sum(apply(layer, x, rate)))(ones) != 0
            x, bad = jnp.where(stays, ones, jnp.inf), jnp.where(stays, slope, jnp.nan)
            _, pull = jax.vjp(lambda x: apply(layer, x, rate), x)
            return stays, *pull(bad)

        return {name: gradient(layer) for name, layer in (FAMILY | ALPHA).items()}

    keep = round((1 - np.float32(rate).item()) * 2**16) / 2**16
    saturated = 1.7580993408473766
    for name, (stays, gradient) in jax.device_get(run(rate)).items():
        scale = 1 / keep
        if name in ALPHA:
            scale = (keep + saturated**2 * keep * (1 - keep)) ** -0.5
        want = np.where(stays, slope * (1 if "standard" in name else scale), 0)
        np.testing.assert_allclose(gradient, want, rtol=1e-5, err_msg=name)
        assert not np.any(gradient[~stays]) and not np.all(stays), name


@pytest.mark.slow
def test_the_standard_form_is_the_inverted_one_times_the_probability_of_staying():
    """With the same key, for whole examples too."""
    x = jax.random.normal(KEY, (4000, 2, 3))

    @jax.jit
    @jax.vmap
    def forms(rate):
        return [
            (apply(FAMILY[one], x, rate), apply(FAMILY[other], x, rate))
            for one, other in (
                ("inverted", "standard"),
                ("stochastic depth", "stochastic depth, standard"),
            )
        ]

    for inverted, standard in jax.device_get(forms(RATES)):
        want = np.float64(inverted) * KEEP[:, None, None, None]
        np.testing.assert_allclose(standard, want, rtol=2e-7)
        chex.assert_trees_all_equal(standard, np.where(standard != 0, np.asarray(x), 0))


@pytest.mark.slow
@pytest.mark.parametrize("per_example", [False, True])
def test_a_traced_rate_out_of_range_gives_nothing_but_nan(per_example):
    """Like every formula that is given NaN; what is known while tracing is refused."""
    x = jnp.ones((3, 5, 4))
    dense = DropConnectDense(2, per_example=per_example)
    variables = {"params": {"kernel": jnp.ones((4, 2)), "bias": jnp.zeros(2)}}

    @jax.jit
    @jax.vmap
    def outputs(rate):
        found = {name: apply(layer, x, rate) for name, layer in (FAMILY | GAUSSIAN | ALPHA).items()}
        rngs = {"dropout": KEY}
        return found | {"dense": dense.apply(variables, x, train=True, rate=rate, rngs=rngs)}

    for name, values in outputs(jnp.array([jnp.nan, -0.5, 1.5])).items():
        assert np.isnan(values).all(), name
    for name, values in outputs(jnp.array([0.0, 0.5])).items():
        assert np.isfinite(values).all(), name
