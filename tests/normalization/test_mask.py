"""Batch norm over a part of the batch: Flax's own, float64, and the batch without the rest."""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import presets
from jaxtricks.normalization import BatchNorm
from tests.untyped import untyped

KEY = jax.random.key(0)
X = jax.random.normal(KEY, (6, 3, 4, 5)) * 2 + 7
ROWS = jnp.array([False, True, True, False, True, False])
PLACES = jax.random.bernoulli(jax.random.key(1), 0.6, (6, 3, 4))


@functools.partial(jax.jit, static_argnums=0)
def trained(layer, x, mask):
    """In one program: outside of `jit`, each operation is compiled for itself."""
    variables = layer.init(KEY, x, train=False)
    return layer.apply(variables, x, train=True, mask=mask, mutable=["batch_stats"])


@pytest.mark.slow
@pytest.mark.parametrize("mask", [ROWS, ROWS[:, None, None], PLACES, PLACES[:, :1], PLACES[:1]])
def test_equals_flax(mask):
    flax = nn.BatchNorm(use_running_average=False, momentum=0.9)
    columns = mask.reshape(*mask.shape, *(1,) * (4 - mask.ndim))

    @jax.jit
    def theirs(columns):
        return flax.apply(flax.init(KEY, X), X, mask=columns, mutable=["batch_stats"])

    want, stats = theirs(columns)
    got, ours = trained(BatchNorm(decay=0.9), X, mask)
    where = np.broadcast_to(columns, X.shape)
    np.testing.assert_allclose(got[where], want[where], rtol=2e-4, atol=2e-4)
    chex.assert_trees_all_close(ours, stats, rtol=1e-4)
    assert np.all(np.asarray(got)[~where] == 0)


@functools.partial(jax.jit, static_argnums=0)
def cotangent(layer, x, mask):
    """Gradients of a weighted sum of the outputs of the rows that count."""
    variables = layer.init(KEY, x, train=False)

    def total(variables, x):
        y, _ = layer.apply(variables, x, train=True, mask=mask, mutable=["batch_stats"])
        y = y if mask is None else y[np.flatnonzero(ROWS)]
        return jnp.sum(y * jnp.cos(jnp.arange(y.size).reshape(y.shape)))

    return jax.grad(total, argnums=(0, 1))(variables, x)


@pytest.mark.parametrize("hole", [1e30, jnp.nan, jnp.inf])
@pytest.mark.parametrize(
    "make", [BatchNorm, presets.torch.batch_norm, presets.keras.batch_normalization]
)
def test_what_does_not_count_leaves_no_trace(make, hole):
    """Output, statistics and gradients are those of the batch without it, whatever it holds."""
    layer, some = make(), X[ROWS]
    x = X.at[~ROWS].set(hole)
    want, stats = trained(layer, some, None)
    got, ours = trained(layer, x, ROWS)
    chex.assert_trees_all_close(got[ROWS], want, rtol=1e-5, atol=1e-5)
    chex.assert_trees_all_close(ours, stats, rtol=1e-5)
    assert np.all(np.isfinite(got))
    params, by_x = cotangent(layer, x, ROWS)
    want_params, want_x = cotangent(layer, some, None)
    chex.assert_trees_all_close((params, by_x[ROWS]), (want_params, want_x), rtol=1e-3, atol=1e-4)
    assert np.all(np.asarray(by_x)[~ROWS] == 0)


@pytest.mark.parametrize("mask", [ROWS, PLACES])
def test_a_mean_of_a_million_deviations_is_exact(mask):
    x = (1e6 + jax.random.normal(KEY, X.shape)).astype(jnp.float32)
    _, stats = trained(BatchNorm(decay=0.0), x, mask)
    values = np.asarray(x, np.float64)[np.asarray(mask)].reshape(-1, 5)
    chex.assert_trees_all_close(
        stats["batch_stats"],
        {"mean": values.mean(0).astype(np.float32), "var": values.var(0).astype(np.float32)},
        rtol=1e-5,
    )


def test_unbiased_variance_counts_what_counts():
    _, stats = trained(BatchNorm(decay=0.0, unbiased_running_var=True), X, PLACES)
    want = np.asarray(X, np.float64)[np.asarray(PLACES)].var(0, ddof=1)
    np.testing.assert_allclose(stats["batch_stats"]["var"], want, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 1])
def test_running_statistics_stay_without_two_values(count):
    x, mask = X[:, 0, 0], jnp.arange(6) < count
    layer = BatchNorm(unbiased_running_var=True)
    y, stats = trained(layer, x, mask)
    chex.assert_trees_all_equal(
        stats["batch_stats"], layer.init(KEY, x, train=False)["batch_stats"]
    )
    assert np.all(np.asarray(y) == 0)


@pytest.mark.slow
def test_a_mapped_axis_counts_all_of_its_members():
    layer, parts = (
        BatchNorm(axis_name="i"),
        jax.tree.map(lambda a: a.reshape(2, 3, *a.shape[1:]), (X, PLACES)),
    )
    variables = layer.init(KEY, X, train=False)

    def one(x, mask):
        return layer.apply(variables, x, train=True, mask=mask, mutable=["batch_stats"])

    y, stats = jax.jit(jax.vmap(one, axis_name="i", out_axes=(0, 0)))(*parts)
    want, whole = trained(BatchNorm(), X, PLACES)
    chex.assert_trees_all_close(y.reshape(X.shape), want, rtol=1e-4, atol=1e-5)
    chex.assert_trees_all_close(jax.tree.map(lambda a: a[1], stats), whole, rtol=1e-5)


def test_channels_first_and_no_difference_in_evaluation():
    first = jnp.moveaxis(X, -1, 1)
    want, stats = trained(BatchNorm(), X, PLACES)
    got, ours = trained(BatchNorm(axis=1), first, PLACES)
    chex.assert_trees_all_close((jnp.moveaxis(got, 1, -1), ours), (want, stats), rtol=1e-5)
    layer = BatchNorm()
    variables = layer.init(KEY, X, train=False)
    seen = [layer.apply(variables, X, train=False, mask=mask) for mask in (None, ROWS)]
    chex.assert_trees_all_equal(*seen)


def test_masks_that_do_not_fit_are_refused():
    for mask in (ROWS[:5], PLACES[:, :2], PLACES[..., None], jnp.array(True)):
        words = r"mask must have the shape \(6,\), or one that fits \(6, 3, 4\)"
        with pytest.raises(ValueError, match=words):
            trained(BatchNorm(), X, mask)
    for mask in (ROWS.astype(jnp.float32), [True] * 6):
        with untyped(), pytest.raises(TypeError, match="mask must be a boolean array, got"):
            trained(BatchNorm(), X, mask)
