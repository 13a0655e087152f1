"""Re-estimated batch-norm statistics against NumPy's, batch by batch."""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks.averaging import recalibrate_batch_norm
from jaxtricks.normalization import BatchNorm

X = jax.random.normal(jax.random.key(0), (14, 2, 3)) * jnp.array([[[1.0, 3.0, 0.1]]]) + 50.0
BATCHES = np.array(X[:12], np.float64).reshape(3, 4, 2, 3)  # the last two are left over


class Flax(nn.Module):
    momentum: float = 0.99

    @nn.compact
    def __call__(self, x, *, train):
        options = {"momentum": self.momentum, "use_fast_variance": False}
        return nn.BatchNorm(use_running_average=not train, name="norm", **options)(x)


class Ours(nn.Module):
    decay: float = 0.9
    unbiased: bool = False

    @nn.compact
    def __call__(self, x, *, train):
        return BatchNorm(self.decay, unbiased_running_var=self.unbiased, name="norm")(
            x, train=train
        )


class Deep(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(4)(x))
        return nn.BatchNorm(use_running_average=not train)(nn.relu(x.reshape(len(x), -1)))


class Plain(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        return nn.Dense(2)(x)


def applied(model):
    def apply(variables, x):
        return model.apply(variables, x, train=True, mutable=["batch_stats"])[1]

    return apply


@functools.partial(jax.jit, static_argnames=("model", "unbiased"))
def recalibrated(model, unbiased=False):
    variables = model.init(jax.random.key(1), X[:2], train=False)
    state = recalibrate_batch_norm(applied(model), variables, X, 4, unbiased=unbiased)
    return state["batch_stats"]


@pytest.mark.slow
@pytest.mark.parametrize("model", [Flax(), Flax(0.0), Flax(0.9), Ours(), Ours(0.0), Ours(0.999)])
def test_mean_of_the_batches_statistics(model):
    stats = recalibrated(model)["norm"]
    np.testing.assert_allclose(stats["mean"], BATCHES.mean(axis=(0, 1, 2)), rtol=5e-5)
    np.testing.assert_allclose(stats["var"], BATCHES.var(axis=(1, 2)).mean(axis=0), rtol=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model, options",
    [
        (Flax(), {"unbiased": True}),
        (Ours(), {"unbiased": True}),
        (Ours(0.9, True), {}),
        (Ours(0.9, True), {"unbiased": True}),
    ],
)
def test_unbiased_variance_counts_every_value_of_a_feature(model, options):
    """Bessel's correction with N = 4 examples of 2 rows."""
    want = BATCHES.var(axis=(1, 2), ddof=1).mean(axis=0)
    np.testing.assert_allclose(recalibrated(model, **options)["norm"]["var"], want, rtol=2e-4)


@pytest.mark.slow
def test_each_layer_has_its_own_count():
    biased, unbiased = recalibrated(Deep()), recalibrated(Deep(), unbiased=True)
    for layer, ratio in (("BatchNorm_0", 8 / 7), ("BatchNorm_1", 4 / 3)):
        got = unbiased[layer]["var"] / biased[layer]["var"]
        np.testing.assert_allclose(got, ratio, rtol=1e-6)
        chex.assert_trees_all_close(unbiased[layer]["mean"], biased[layer]["mean"])


@pytest.mark.slow
def test_a_jitted_model_is_corrected_like_another():
    init, apply = jax.jit(Deep().init, static_argnames="train"), jax.jit(applied(Deep()))
    variables = init(jax.random.key(1), X[:2], train=False)
    got = recalibrate_batch_norm(apply, variables, X, 4, unbiased=True)["batch_stats"]
    chex.assert_trees_all_close(got, recalibrated(Deep(), unbiased=True), rtol=1e-3)


class Shared(nn.Module):
    kind: type

    @nn.compact
    def __call__(self, x, *, train):
        if self.kind is nn.BatchNorm:
            return nn.BatchNorm(not train, axis_name="rows", name="norm")(x)
        return BatchNorm(axis_name="rows", name="norm")(x, train=train)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [BatchNorm, nn.BatchNorm])
def test_values_along_a_mapped_axis_count_too(kind):
    """A batch of 4 examples, each of 4 by 2 values of a feature, mapped over the examples."""
    x = jax.random.normal(jax.random.key(0), (4, 4, 2, 3))

    def apply(variables, x):
        def one(x):
            return Shared(kind).apply(variables, x, train=True, mutable=["batch_stats"])[1]

        return jax.tree.map(lambda leaf: leaf[0], jax.vmap(one, axis_name="rows")(x))

    @jax.jit
    def both(x):
        variables = Shared(kind).init(jax.random.key(1), x[0], train=False)
        return [
            recalibrate_batch_norm(apply, variables, x, 4, unbiased=flag)["batch_stats"]
            for flag in (False, True)
        ]

    biased, unbiased = both(x)
    ratio = jax.tree.map(lambda a, b: a / b, unbiased, biased)["norm"]["var"]
    np.testing.assert_allclose(ratio, 32 / 31, rtol=1e-5)


@pytest.mark.slow
def test_one_batch_makes_evaluation_equal_to_training_at_every_depth():
    model, x = Deep(), X[:8]

    @jax.jit
    def outputs():
        variables = model.init(jax.random.key(1), x, train=False)
        state = recalibrate_batch_norm(applied(model), variables, x, 8)
        trained, _ = model.apply(variables, x, train=True, mutable=["batch_stats"])
        before = model.apply(variables, x, train=False)
        return before, trained, model.apply({**variables, **state}, x, train=False)

    before, want, got = outputs()
    chex.assert_trees_all_close(got, want, atol=2e-3)
    assert jnp.max(jnp.abs(before - want)) > 1


@pytest.mark.slow
def test_old_statistics_do_not_matter_and_other_collections_stay():
    model = Flax()
    variables = model.init(jax.random.key(1), X[:2], train=False)
    stale = jax.tree.map(lambda leaf: leaf + 100, variables["batch_stats"])
    stale = {**variables, "batch_stats": stale, "other": {"n": jnp.arange(2)}}
    got = recalibrate_batch_norm(applied(model), stale, X, 4)
    want = recalibrate_batch_norm(applied(model), variables, X, 4)
    chex.assert_trees_all_equal(got, {**want, "other": stale["other"]})
    assert set(variables) - set(want) == {"params"}


def test_a_layer_that_never_moves_keeps_its_statistics():
    model = Ours(1.0)
    stats = recalibrated(model)
    chex.assert_trees_all_equal(stats["norm"], {"mean": jnp.zeros(3), "var": jnp.ones(3)})


@pytest.mark.slow
def test_a_cumulative_average_with_its_own_counter_and_half_precision():
    """The layer's own keep factor is count / (count + 1); the counter stays."""

    def apply(variables, x):
        stats = variables["batch_stats"]
        count = stats["count"]
        mean = (count * stats["mean"] + jnp.mean(x, axis=0)) / (count + 1)
        return {"batch_stats": {"count": count + 1, "mean": mean}}

    stats = {"count": jnp.int32(3), "mean": jnp.zeros((), jnp.bfloat16)}
    x = jnp.array([1.0, 3.0, 5.0, 11.0])
    got = recalibrate_batch_norm(apply, {"params": {}, "batch_stats": stats}, x, 2)["batch_stats"]
    chex.assert_trees_all_equal(got, {"count": jnp.int32(3), "mean": jnp.bfloat16(5)}, strict=True)


@pytest.mark.slow
def test_jit_and_vmap_agree():
    model, population = Flax(), jnp.stack([X, 2 * X])
    variables = model.init(jax.random.key(1), X[:2], train=False)

    def recalibrate(examples):
        return recalibrate_batch_norm(applied(model), variables, examples, 4, unbiased=True)

    got = jax.jit(jax.vmap(recalibrate))(population)
    want = jax.tree.map(lambda *x: jnp.stack(x), *(recalibrate(x) for x in population))
    chex.assert_trees_all_close(got, want, rtol=1e-4)


def test_a_model_without_batch_norm_is_left_alone():
    variables = {**Plain().init(jax.random.key(0), X, train=False), "other": {"n": jnp.ones(1)}}
    got = recalibrate_batch_norm(applied(Plain()), variables, X, 4)
    assert got == {"other": variables["other"]}


def untrained(variables, x):
    return Flax().apply(variables, x, train=False, mutable=["batch_stats"])[1]


def layerless(variables, x):
    return {"batch_stats": jax.tree.map(lambda leaf: leaf / 2, variables["batch_stats"])}


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_size": 15}, ValueError, "batch_size must be at most the 14 examples, got 15"),
        ({"examples": (X, X[:3])}, ValueError, r"one length, got lengths \[3, 14\]"),
        ({"examples": ()}, ValueError, r"one length, got lengths \[\]"),
        ({"apply": lambda variables, x: {"y": x}}, ValueError, 'return "batch_stats" too, got'),
        ({"variables": {}}, ValueError, 'variables must hold "params", got'),
        ({"apply": untrained}, ValueError, "apply must run the model in training mode"),
        ({"apply": layerless, "unbiased": True}, ValueError, "unbiased found no BatchNorm"),
    ],
)
def test_bad_arguments_are_refused(change, error, message):
    variables = Flax().init(jax.random.key(1), X[:2], train=False)
    options = {"apply": applied(Flax()), "examples": X, "batch_size": 4, "variables": variables}
    with pytest.raises(error, match=message):
        recalibrate_batch_norm(**{**options, **change})
