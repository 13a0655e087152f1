"""Statistics of the whole set against one training batch that holds everything."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import models
from jaxtricks.averaging import measure_batch_norm, recalibrate_batch_norm
from jaxtricks.normalization import BatchNorm
from tests.untyped import untyped

X = 5 + 3 * jax.random.normal(jax.random.key(0), (14, 4, 4, 2))


class Deep(nn.Module):
    """Three layers of both kinds, over images, channels-first images and rows."""

    twice: bool = False

    @nn.compact
    def __call__(self, x, *, train):
        first = BatchNorm(decay=0.0)
        x = first(x, train=train)
        if self.twice:
            x = first(x, train=train)
        x = nn.relu(nn.Conv(3, (3, 3))(x))
        x = BatchNorm(decay=0.0, axis=1)(jnp.moveaxis(x, -1, 1), train=train)
        x = nn.Dense(6)(nn.relu(x.reshape(len(x), -1)))
        return nn.BatchNorm(use_running_average=not train, momentum=0.0)(x)


def applied(model, *, train=False):
    return lambda variables, x: model.apply(variables, x, train=train, mutable=["batch_stats"])[1]


def variables_of(model):
    return jax.jit(model.init, static_argnames="train")(jax.random.key(1), X, train=False)


def whole_set(model, variables, batch_size):
    """Compiled."""

    def statistics(variables):
        return measure_batch_norm(applied(model), variables, X, batch_size)

    return jax.jit(statistics)(variables)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 4, 7, 14])
def test_any_batch_size_gives_the_statistics_of_one_batch_of_everything(batch_size):
    model = Deep()
    variables = variables_of(model)
    want = jax.jit(applied(model, train=True))(variables, X)
    got = whole_set(model, variables, batch_size)
    chex.assert_trees_all_close(got, want, rtol=1e-4, atol=1e-5)
    assert jax.tree.structure(got) == jax.tree.structure(want)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 16, 512])
def test_a_mean_of_a_million_deviations_costs_no_digits(batch_size):
    """The variance is right, and the mean to its own rounding, whatever the batches."""
    x = np.float32(1e6 + np.random.default_rng(0).standard_normal((512, 3)))
    layer, exact = BatchNorm(), x.astype(np.float64)
    x = jnp.asarray(x)
    variables = {"params": {}, **layer.init(jax.random.key(0), x, train=False)}
    found = jax.jit(
        lambda variables: measure_batch_norm(
            lambda v, x: layer.apply(v, x, train=False), variables, x, batch_size
        )
    )(variables)["batch_stats"]
    np.testing.assert_allclose(found["var"], exact.var(axis=0), rtol=2e-6)
    np.testing.assert_allclose(found["mean"], exact.mean(axis=0), rtol=6e-8)


@pytest.mark.slow
def test_one_pass_over_small_batches_gives_other_statistics():
    """S-NRM-02 is not S-NRM-03: deep layers saw inputs that were normalised by the batch."""
    model = Deep()
    variables = variables_of(model)
    whole = jax.device_get(whole_set(model, variables, 2)["batch_stats"])
    recalibrate = jax.jit(lambda v: recalibrate_batch_norm(applied(model, train=True), v, X, 2))
    each = jax.device_get(recalibrate(variables)["batch_stats"])
    chex.assert_trees_all_close(
        whole["BatchNorm_0"]["mean"], each["BatchNorm_0"]["mean"], rtol=1e-5
    )
    last = "BatchNorm_2"
    assert np.abs(whole[last]["var"] / each[last]["var"] - 1).max() > 0.02


@pytest.mark.slow
def test_it_compiles_whole_and_keeps_other_collections():
    model = Deep()
    variables = {**variables_of(model), "cache": {"x": jnp.ones(2)}}
    got = whole_set(model, variables, 4)
    want = measure_batch_norm(applied(model), variables, X, 4)
    chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-6)
    assert set(got) == {"batch_stats", "cache"}


@pytest.mark.slow
def test_a_jitted_model_is_measured_like_another():
    variables, apply = variables_of(Deep()), jax.jit(applied(Deep()))
    apply(variables, X[:4])  # from now on there is a trace, and no layer is called
    for batch_size in (4, 7):
        got = measure_batch_norm(apply, variables, X, batch_size)
        want = measure_batch_norm(applied(Deep()), variables, X, batch_size)
        chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-6)


SPLIT = {"params": True}


class Stacked(nn.Module):
    """A batch norm inside one of Flax's transformations."""

    how: str

    @nn.compact
    def __call__(self, x, *, train):
        layer = nn.BatchNorm(use_running_average=not train)
        stats = {"params": 0, "batch_stats": 0}
        if self.how == "nn.remat":
            return nn.remat(lambda layer, x: layer(x))(layer, x)
        if self.how == "nn.scan":
            body = nn.scan(lambda layer, x, _: (layer(x), None), stats, split_rngs=SPLIT, length=2)
            return body(layer, x, None)[0]
        options = {"split_rngs": SPLIT, "axis_size": 2, "in_axes": None}
        return nn.vmap(lambda layer, x: layer(x), stats, **options)(layer, x)


@pytest.mark.parametrize("how", ["nn.remat", "nn.scan", "nn.vmap"])
def test_a_layer_out_of_which_nothing_can_be_taken_is_refused_by_name(how):
    variables = variables_of(Stacked(how))
    with pytest.raises(ValueError, match=f"BatchNorm_0 is inside .*{how}"):
        measure_batch_norm(applied(Stacked(how)), variables, X, 4)


def test_bad_input_is_named():
    model = Deep()
    variables = variables_of(model)
    with pytest.raises(ValueError, match="BatchNorm_0 in evaluation mode"):
        measure_batch_norm(applied(model, train=True), variables, X, 4)
    with pytest.raises(ValueError, match="BatchNorm_0 is called twice"):
        measure_batch_norm(applied(Deep(twice=True)), variables, X, 4)
    with untyped(), pytest.raises(TypeError, match="apply must be a function, got None"):
        measure_batch_norm(None, variables, X, 4)
    with pytest.raises(ValueError, match="apply must call a BatchNorm"):
        measure_batch_norm(lambda variables, x: x, variables, X, 4)
    with pytest.raises(ValueError, match='must hold "params"'):
        measure_batch_norm(applied(model), {}, X, 4)
    with pytest.raises(ValueError, match="batch_size must be at most the 14"):
        measure_batch_norm(applied(model), variables, X, 15)


@pytest.mark.slow
def test_a_mask_is_refused():
    """All examples given count: those that do not are left out of them."""
    net = models.MLP((4, 3), block=models.batch_norm_block)
    x = jax.random.normal(jax.random.key(0), (8, 5))
    variables = jax.jit(net.init, static_argnames="train")(jax.random.key(0), x, train=False)
    mask = jnp.ones(2, bool)
    with pytest.raises(ValueError, match="BatchNorm_0 without a mask: leave out examples"):
        measure_batch_norm(
            lambda v, x: net.apply(v, x, train=False, example_mask=mask), variables, x, 2
        )
    with pytest.raises(ValueError, match="unbiased needs batch norm without a mask"):
        recalibrate_batch_norm(
            lambda v, x: net.apply(v, x, train=True, example_mask=mask, mutable=["batch_stats"])[1],
            variables,
            x,
            2,
            unbiased=True,
        )
