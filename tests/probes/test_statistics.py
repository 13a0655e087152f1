"""Statistics against NumPy in float64 and closed forms."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import probes
from tests.untyped import untyped

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
COMPILED = jax.jit(probes.statistics)


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e30])
def test_moments_are_numpy_s_at_any_scale(scale):
    x = np.float32(scale * (1 + np.random.default_rng(0).gamma(2.0, size=(50, 40))))
    got = COMPILED(jnp.asarray(x))
    exact = np.asarray(x, np.float64)
    np.testing.assert_allclose(got.mean, exact.mean(), rtol=1e-5)
    np.testing.assert_allclose(got.std, exact.std(), rtol=1e-4)
    np.testing.assert_allclose(got.rms, np.sqrt((exact**2).mean()), rtol=1e-5)
    np.testing.assert_allclose(
        got.quantiles, np.quantile(exact, [0.05, 0.25, 0.5, 0.75, 0.95]), rtol=1e-5
    )
    fourth = (((exact - exact.mean()) / exact.std()) ** 4).mean()
    np.testing.assert_allclose(got.excess_kurtosis, fourth - 3, rtol=1e-3)


@pytest.mark.parametrize(
    "x, kurtosis",
    [
        (np.repeat([-1.0, 1.0], 100_000), -2.0),
        (np.linspace(-1, 1, 200_000), -1.2),
        (RNG.normal(size=200_000), 0.0),
        (RNG.laplace(size=200_000), 3.0),
    ],
)
def test_kurtosis_of_known_distributions(x, kurtosis):
    got = COMPILED(jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(got.excess_kurtosis, kurtosis, atol=0.1)


def test_shares_and_counts():
    x = jnp.array([[0.0, 0.0, 1.0, -1.0], [0.5, -0.5, 0.995, 2.0]])
    got = probes.statistics(x, saturation=0.99, edges=[-1.0, 0.0, 1.0])
    assert float(got.share_zero) == 0.25
    assert float(got.share_saturated) == 0.5
    assert got.counts.tolist() == [2.0, 5.0]


def test_a_sigmoid_saturates_at_both_ends():
    x = np.array([0.001, 0.02, 0.5, 0.98, 0.999])
    found = probes.statistics(x, centre=0.5, saturation=0.49)  # NumPy's float64 is no cause to warn
    assert float(found.share_saturated) == pytest.approx(0.4)
    assert found.mean.dtype == jnp.float32


def test_equal_entries_have_no_kurtosis_and_no_deviation():
    for value in (0.0, 3.0):
        got = COMPILED(jnp.asarray([value] * 4))
        assert float(got.mean) == value and float(got.std) == 0
        assert np.isnan(got.excess_kurtosis)


def test_it_maps_over_layers_and_saturations():
    x = jax.random.normal(KEY, (3, 20))
    limits = jnp.array([0.1, 0.5, 1.0])
    one = jax.jit(lambda x, s: probes.statistics(x, saturation=s))
    got = jax.jit(jax.vmap(one))(x, limits)
    for i in range(3):
        chex.assert_trees_all_close(
            jax.tree.map(lambda a, i=i: a[i], got), one(x[i], limits[i]), rtol=1e-4
        )


def test_bad_input_is_named():
    with untyped():
        with pytest.raises(ValueError, match=r"values must not be empty, got shape \(0, 3\)"):
            probes.statistics(jnp.ones((0, 3)))
        for share in (5.0, -0.1):
            with pytest.raises(ValueError, match=rf"quantiles\[1\] must be .* got {share}"):
                probes.statistics(jnp.ones(3), quantiles=(0.5, share))
        assert probes.statistics(jnp.ones(3), quantiles=(0, 1)).quantiles.tolist() == [1, 1]
        with pytest.raises(ValueError, match=r"edges must increase, got \(1.0, 0.0\)"):
            probes.statistics(jnp.ones(3), edges=(1.0, 0.0))
        for edges in (10, (), (1.0,)):
            with pytest.raises(ValueError, match="edges must be two or more in a row, got"):
                probes.statistics(jnp.ones(3), edges=edges)
        for values in ([1.0, 2.0], jnp.ones(3, int)):
            with pytest.raises(TypeError, match="values must be a floating array, got"):
                probes.statistics(values)
        with pytest.raises(ValueError, match="centre must be in .* got nan"):
            probes.statistics(jnp.ones(3), centre=float("nan"))
        with pytest.raises(ValueError, match="saturation .* got -1"):
            probes.statistics(jnp.ones(3), saturation=-1.0)
