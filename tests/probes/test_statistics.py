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


@pytest.mark.slow
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
    got = jax.jit(lambda x: probes.statistics(x, saturation=0.99, edges=[-1.0, 0.0, 1.0]))(x)
    assert float(got.share_zero) == 0.25
    assert float(got.share_saturated) == 0.5
    assert got.counts.tolist() == [2, 5]


def test_a_sigmoid_saturates_at_both_ends():
    x = np.array([0.001, 0.02, 0.5, 0.98, 0.999])
    # NumPy's float64 is no cause to warn
    found = jax.jit(lambda: probes.statistics(x, centre=0.5, saturation=0.49))()
    assert float(found.share_saturated) == pytest.approx(0.4)
    assert found.mean.dtype == jnp.float32


@pytest.mark.slow
def test_equal_entries_have_no_deviation_and_the_kurtosis_0():
    for value in (0.0, 0.1, -3.0):
        with jax.debug_nans(True):
            got = COMPILED(jnp.full(100_003, value))
        assert float(got.mean) == np.float32(value)
        assert float(got.std) == float(got.excess_kurtosis) == 0


@pytest.mark.slow
def test_counts_and_shares_go_beyond_what_single_precision_counts_to():
    size = 2**24 + 12
    x = jnp.zeros(size, jnp.bfloat16).at[:8].set(1.5)

    @jax.jit  # which leaves the quantiles out, as to sort takes seconds
    def count(x):
        found = probes.statistics(x, edges=(-1.0, 1.0, 2.0))
        return found.counts, found.share_saturated, found.share_zero

    counts, saturated, zero = count(x)
    assert counts.tolist() == [size - 8, 8] and counts.dtype == jnp.int32
    np.testing.assert_allclose(saturated, 8 / size, rtol=1e-6)
    np.testing.assert_allclose(zero, (size - 8) / size, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("peaks", [[-1e38, 1e38], [-3.4e38, 1e38, 3.4e38], [1e-37, 3e-37]])
def test_the_ends_of_single_precision_have_a_spread(peaks):
    exact = np.repeat(np.float32(peaks).astype(np.float64), 5)
    with jax.debug_nans(True), jax.debug_infs(True):
        got = COMPILED(jnp.asarray(exact, jnp.float32))
    np.testing.assert_allclose(got.mean, exact.mean(), rtol=1e-5, atol=1e-6 * exact.max())
    np.testing.assert_allclose(got.std, exact.std(), rtol=1e-5)
    np.testing.assert_allclose(got.rms, np.sqrt(np.mean(exact**2)), rtol=1e-5)
    shares = [0.05, 0.25, 0.5, 0.75, 0.95]
    np.testing.assert_allclose(got.quantiles, np.quantile(exact, shares), rtol=1e-5)
    fourth = np.mean(((exact - exact.mean()) / exact.std()) ** 4)
    np.testing.assert_allclose(got.excess_kurtosis, fourth - 3, atol=1e-5)


def test_a_closed_over_array_is_hidden_from_the_compiler():
    """XLA sorts and sums what it knows while it compiles, 4 million entries in minutes."""
    x = jnp.arange(8.0)
    first = jax.make_jaxpr(lambda: probes.statistics(x))().eqns
    names = [equation.primitive.name for equation in first]
    assert names.index("optimization_barrier") < names.index("reduce_max")


@pytest.mark.slow
def test_it_maps_over_layers_and_saturations():
    x = jax.random.normal(KEY, (3, 20))
    limits = jnp.array([0.1, 0.5, 1.0])
    one = jax.jit(lambda x, s: probes.statistics(x, saturation=s))
    got = jax.jit(jax.vmap(one))(x, limits)
    for i in range(3):
        chex.assert_trees_all_close(
            jax.tree.map(lambda a, i=i: a[i], got), one(x[i], limits[i]), rtol=1e-4
        )


@pytest.mark.slow
def test_bad_input_is_named():
    with untyped():
        with pytest.raises(ValueError, match=r"values must have 1 to .* got the shape \(0, 3\)"):
            probes.statistics(jnp.ones((0, 3)))
        for share in (5.0, -0.1):
            with pytest.raises(ValueError, match=rf"quantiles\[1\] must be .* got {share}"):
                probes.statistics(jnp.ones(3), quantiles=(0.5, share))
        assert probes.statistics(jnp.ones(3), quantiles=(0, 1)).quantiles.tolist() == [1, 1]
        with pytest.raises(ValueError, match=r"edges must increase, got \(1.0, 0.0\)"):
            probes.statistics(jnp.ones(3), edges=(1.0, 0.0))
        for edges in (10, (), (1.0,)):
            with pytest.raises(ValueError, match="edges must be a row of two or more numbers, got"):
                probes.statistics(jnp.ones(3), edges=edges)
        for values in ([1.0, 2.0], jnp.ones(3, int)):
            with pytest.raises(TypeError, match="values must be a floating array, got"):
                probes.statistics(values)
        with pytest.raises(ValueError, match="centre must be in .* got nan"):
            probes.statistics(jnp.ones(3), centre=float("nan"))
        with pytest.raises(ValueError, match="saturation .* got -1"):
            probes.statistics(jnp.ones(3), saturation=-1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_moment_of_values_that_are_not_finite_is_finite(bad):
    found = COMPILED(jnp.array([1.0, bad, 2.0, 4.0]))
    for name in ("mean", "std", "rms", "excess_kurtosis"):
        assert not jnp.isfinite(getattr(found, name)), name


@pytest.mark.parametrize("edges", [(2**40, 2**41), np.array([2**40, 2**41]), [0, 2**31]])
def test_numbers_that_do_not_fit_are_said_not_to_fit(edges):
    """A number too large was called no number; of NumPy's only the last 32 bits were taken."""
    with untyped(), pytest.raises(ValueError, match="edges must hold numbers that fit into int32"):
        probes.statistics(jnp.ones(2), edges=edges)
