"""Gaussian and alpha dropout: their moments, and the formulas of the frameworks they come from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks.regularizers import GaussianDropout, alpha_dropout, dropout, gaussian_dropout

KEY, N = jax.random.key(0), 400_000
RATES = [0.01, 0.3, 0.5, 0.9]


@pytest.mark.slow
@pytest.mark.parametrize("rate", RATES)
def test_gaussian_factors_have_the_mean_and_the_variance_of_dropout_s(rate):
    """Within five standard errors; the fourth moment of a normal is three variances squared."""
    y = np.asarray(jax.jit(gaussian_dropout)(KEY, jnp.ones(N), rate), np.float64)
    variance = rate / (1 - rate)
    assert abs(y.mean() - 1) < 5 * (variance / N) ** 0.5
    assert abs(y.var() - variance) < 5 * variance * (2 / N) ** 0.5
    dropped = np.asarray(jax.jit(dropout)(KEY, jnp.ones(N), rate), np.float64)
    assert y.var() == pytest.approx(dropped.var(), rel=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("rate", RATES)
def test_alpha_dropout_keeps_mean_and_variance_of_standardised_units(rate):
    x = jax.random.normal(jax.random.key(1), (N,))
    y = np.asarray(jax.jit(alpha_dropout)(KEY, x, rate), np.float64)
    assert abs(y.mean()) < 5 / N**0.5
    fourth = np.mean((y - y.mean()) ** 4) - 1
    assert abs(y.var() - 1) < 5 * (fourth / N) ** 0.5


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.5, 0.75])
def test_alpha_dropout_is_pytorch_s_formula_on_the_mask_of_dropout(rate):
    """`torch.nn.functional.alpha_dropout`, as ATen writes it: of a kept 1 is x a + b."""
    x = np.linspace(-2, 2, 1000, dtype=np.float32)
    got = np.asarray(jax.jit(alpha_dropout)(KEY, x, rate), np.float64)
    noise = np.asarray(jax.jit(dropout)(KEY, jnp.ones(1000), rate)) != 0
    alpha = 1.7580993408473766
    a = 1.0 / np.sqrt((alpha * alpha * rate + 1) * (1 - rate))
    b = (noise - 1.0) * alpha * a + alpha * a * rate
    np.testing.assert_allclose(got, x * (noise * a) + b, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_at_the_ends_of_the_rate():
    x = jnp.linspace(-2, 2, 100)
    np.testing.assert_array_equal(alpha_dropout(KEY, x, 1.0), np.zeros(100))
    np.testing.assert_allclose(alpha_dropout(KEY, x, 0.0), x, rtol=1e-6)
    np.testing.assert_array_equal(gaussian_dropout(KEY, x, 0.0), x)
    with pytest.raises(ValueError, match=r"rate must be in \[0.0, 1.0\), got 1.0"):
        gaussian_dropout(KEY, x, 1.0)


@pytest.mark.slow
def test_masked_gradients():
    """Of a dropped entry it is 0."""
    x = jnp.linspace(-2, 2, 100)
    slope = jax.grad(lambda x: jnp.sum(alpha_dropout(KEY, x, 0.5)))(x)
    kept = np.asarray(dropout(KEY, x, 0.5)) != 0
    assert np.all((np.asarray(slope) != 0) == kept)


def test_a_rate_that_single_precision_takes_for_1_is_refused():
    for call in (lambda rate: gaussian_dropout(KEY, jnp.ones(2), rate), GaussianDropout):
        with pytest.raises(ValueError, match=r"rate must be .* got 1.0"):
            call(1 - 1e-9)
