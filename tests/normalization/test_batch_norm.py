"""Batch norm against Flax, PyTorch's closed form, float64 and the undivided batch."""

import functools
import re

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxtricks.normalization import BatchNorm, undo_batch_norm
from tests.untyped import untyped

KEY = jax.random.key(0)


def images(key=KEY, shape=(6, 2, 2, 3)):
    return 3 + 2 * jax.random.normal(key, shape)


def trained(layer, x, variables=None):
    variables = layer.init(KEY, x, train=False) if variables is None else variables
    return layer.apply(variables, x, train=True, mutable=["batch_stats"])


compiled = jax.jit(trained, static_argnums=0)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(6, 3), (6, 2, 2, 3)])
def test_equals_flax_in_output_statistics_and_gradients(shape):
    x = images(shape=shape)
    ours, theirs = BatchNorm(), nn.BatchNorm(momentum=0.9, use_fast_variance=False)
    variables = theirs.init(KEY, x, use_running_average=True)
    chex.assert_trees_all_equal(ours.init(KEY, x, train=False), variables)
    variables["params"] = {"scale": jnp.arange(1.0, 4), "bias": jnp.arange(3.0)}

    def our_loss(params, x):
        y, state = ours.apply({**variables, "params": params}, x, train=True, mutable="batch_stats")
        return jnp.sum(jnp.sin(y)), (y, state)

    def their_loss(params, x):
        given = {**variables, "params": params}
        y, state = theirs.apply(given, x, use_running_average=False, mutable="batch_stats")
        return jnp.sum(jnp.sin(y)), (y, state)

    gradients = [jax.grad(loss, (0, 1), has_aux=True) for loss in (our_loss, their_loss)]
    got, want = jax.jit(lambda *given: [g(*given) for g in gradients])(variables["params"], x)
    chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-5)
    moved = {**variables, **got[1][1]}
    want = theirs.apply(moved, x, use_running_average=True)
    chex.assert_trees_all_close(ours.apply(moved, x, train=False), want, rtol=1e-5)


@pytest.mark.parametrize("unbiased, batch_variance", [(False, 1.0), (True, 2.0)])
def test_running_variance_of_0_and_2_is_flax_s_1_or_pytorch_s_2(unbiased, batch_variance):
    layer = BatchNorm(decay=0.75, unbiased_running_var=unbiased)
    _, updated = compiled(layer, jnp.array([[0.0], [2.0]]))
    assert updated["batch_stats"]["mean"].tolist() == [0.25 * 1]
    assert updated["batch_stats"]["var"].tolist() == [0.75 * 1 + 0.25 * batch_variance]


def test_a_mean_a_million_times_the_deviation_keeps_six_digits():
    x = 1e6 + jax.random.normal(KEY, (128, 4))
    y, updated = compiled(BatchNorm(decay=0.0, eps=0.0), x)
    exact = np.asarray(x, np.float64)
    np.testing.assert_allclose(updated["batch_stats"]["var"], exact.var(0), rtol=5e-6)
    np.testing.assert_allclose(y, (exact - exact.mean(0)) / exact.std(0), atol=5e-6)


@pytest.mark.slow
@pytest.mark.parametrize("unbiased", [False, True])
def test_synchronised_parts_equal_the_whole_batch_gradients_included(unbiased):
    whole = BatchNorm(unbiased_running_var=unbiased)
    parted = BatchNorm(unbiased_running_var=unbiased, axis_name="parts")
    x, target = images(), jax.random.normal(jax.random.key(1), (6, 2, 2, 3))
    variables = parted.init(KEY, x[:2], train=True)

    def loss(layer, x, target):
        y, updated = trained(layer, x, variables)
        return jnp.sum(y * target), (y, updated)

    def in_parts(x, target):
        one = jax.vmap(lambda x, target: loss(parted, x, target), axis_name="parts")
        losses, aux = one(x, target)
        return jnp.sum(losses), aux

    parts = x.reshape(3, 2, 2, 2, 3), target.reshape(3, 2, 2, 2, 3)
    gradient, (y, updated) = jax.jit(jax.grad(in_parts, has_aux=True))(*parts)
    gradient_of_whole = jax.jit(jax.grad(loss, 1, has_aux=True), static_argnums=0)
    want, (whole_y, whole_updated) = gradient_of_whole(whole, x, target)
    chex.assert_trees_all_close(y.reshape(whole_y.shape), whole_y, rtol=1e-5, atol=1e-5)
    chex.assert_trees_all_close(gradient.reshape(want.shape), want, rtol=1e-4, atol=1e-5)
    for part in range(3):
        one = jax.tree.map(lambda s, i=part: s[i], updated)
        chex.assert_trees_all_close(one, whole_updated, rtol=1e-5)


@pytest.mark.slow
def test_a_sharded_batch_under_jit_is_synchronised():
    layer, x = BatchNorm(), images()
    variables = layer.init(KEY, x, train=False)
    run = jax.jit(lambda x: trained(layer, x, variables))
    sharding = NamedSharding(Mesh(jax.devices()[:2], ("data",)), PartitionSpec("data"))
    got = jax.block_until_ready(run(jax.device_put(x, sharding)))
    chex.assert_trees_all_close(jax.device_get(got), jax.device_get(run(x)), rtol=1e-5, atol=1e-6)


def test_a_constant_feature_is_zero_even_without_eps():
    layer, x = BatchNorm(eps=0.0), jnp.ones((4, 2))
    y, pullback = jax.vjp(jax.jit(lambda x: trained(layer, x)[0]), x)
    chex.assert_trees_all_equal(y, jnp.zeros((4, 2)))
    chex.assert_tree_all_finite(pullback(x))


def test_half_precision_stays_while_its_statistics_are_single():
    x = images().astype(jnp.bfloat16)
    y, updated = compiled(BatchNorm(), x)
    assert y.dtype == jnp.bfloat16
    chex.assert_trees_all_equal_dtypes(updated, jax.tree.map(jnp.float32, updated))


def test_without_scale_and_bias_there_are_no_parameters():
    layer = BatchNorm(use_scale=False, use_bias=False)
    assert set(layer.init(KEY, images(), train=False)) == {"batch_stats"}


def test_decay_and_eps_may_be_mapped():
    x = images(shape=(6, 3))
    decays, epss = jnp.array([0.5, 0.9]), jnp.array([1e-5, 1.0])
    got = jax.jit(jax.vmap(lambda d, e: trained(BatchNorm(d, e), x)))(decays, epss)
    for i in range(2):
        one = jax.tree.map(lambda a, i=i: a[i], got)
        want = compiled(BatchNorm(float(decays[i]), float(epss[i])), x)
        chex.assert_trees_all_close(one, want, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("axis", [1, (0, 2), (-3, -2, -1), (1, 2, 3)])
def test_any_axes_equal_flax(axis):
    x = images()
    ours = BatchNorm(axis=axis)
    theirs = nn.BatchNorm(axis=axis, momentum=0.9, use_fast_variance=False)

    @jax.jit
    def both_begun(x):
        first = theirs.init(KEY, x, use_running_average=True)
        return ours.init(KEY, x, train=False), first

    @functools.partial(jax.jit, static_argnames="train")
    def by_flax(variables, *, train):
        mutable = ["batch_stats"] if train else False
        return theirs.apply(variables, x, use_running_average=not train, mutable=mutable)

    own, variables = both_begun(x)
    chex.assert_trees_all_equal_shapes(own, variables)
    got = compiled(ours, x)
    chex.assert_trees_all_close(got, by_flax(variables, train=True), rtol=1e-5, atol=1e-5)
    moved = {**variables, **got[1]}
    evaluated = jax.jit(lambda variables: ours.apply(variables, x, train=False))(moved)
    chex.assert_trees_all_close(evaluated, by_flax(moved, train=False), rtol=1e-5)


def test_channels_first_is_channels_last_with_axes_moved():
    x = images()
    first = compiled(BatchNorm(axis=1), jnp.moveaxis(x, -1, 1))[0]
    chex.assert_trees_all_close(jnp.moveaxis(first, 1, -1), compiled(BatchNorm(), x)[0], rtol=1e-6)


def test_scale_and_bias_start_where_they_are_told():
    layer = BatchNorm(scale_init=nn.initializers.constant(2.0), bias_init=nn.initializers.ones)
    plain = BatchNorm(use_scale=False, use_bias=False)
    x = images()
    chex.assert_trees_all_close(compiled(layer, x)[0], 2 * compiled(plain, x)[0] + 1, rtol=1e-5)


@pytest.mark.parametrize("eps", [0.0, 1e-5, 1.0])
def test_the_batch_s_deviation_and_mean_as_scale_and_bias_give_the_input_back(eps):
    """S-NRM-09, and C-111 for one batch: the identity, to rounding."""
    layer, x = BatchNorm(eps=eps), images()
    flat = np.asarray(x).reshape(-1, 3)
    undone = undo_batch_norm(jnp.asarray(flat.mean(0)), jnp.asarray(flat.var(0)), eps=eps)
    variables = {**layer.init(KEY, x, train=False), "params": undone}
    chex.assert_trees_all_close(compiled(layer, x, variables)[0], x, atol=1e-5)


@pytest.mark.slow
def test_one_value_per_feature_is_no_batch():
    """Its variance is 0 and the output the bias, whatever it is: PyTorch refuses it too."""
    layer, variables = BatchNorm(), BatchNorm().init(KEY, jnp.ones((1, 3)), train=True)
    with pytest.raises(ValueError, match="x must have two or more values per feature .* got 1"):
        trained(layer, jnp.ones((1, 3)), variables)
    assert trained(layer, jnp.ones((1, 2, 3)), variables)[0].shape == (1, 2, 3)
    assert jnp.shape(layer.apply(variables, jnp.ones((1, 3)), train=False)) == (1, 3)


@pytest.mark.parametrize("axis", [2, -3, (0, 1), (1, 1), (1, -1), ()])
def test_a_wrong_axis_is_named(axis):
    with pytest.raises(ValueError, match=f"axis must .*got {re.escape(str(axis))}"):
        trained(BatchNorm(axis=axis), jnp.ones((4, 3)))


@pytest.mark.slow
@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("axis, shape", [((1, 2), (8, 4, 5, 3)), (0, (8, 3)), (-1, (5, 4))])
def test_other_features_than_those_of_the_running_statistics_are_refused(axis, shape, train):
    """Not reshaped, where the sizes allow it."""
    layer = BatchNorm(axis=axis, use_scale=False, use_bias=False)
    first = {(1, 2): (8, 5, 4, 3), 0: (5, 3), -1: (5, 3)}[axis]
    variables = layer.init(KEY, jnp.ones(first), train=False)
    with pytest.raises(ValueError, match="features of the running statistics, got"):
        layer.apply(variables, jnp.ones(shape), train=train, mutable=["batch_stats"])


def test_an_unknown_axis_name_is_named():
    layer = BatchNorm(axis_name="devices")
    variables = layer.init(KEY, jnp.ones((4, 3)), train=True)
    with pytest.raises(ValueError, match="axis_name must be .* got 'devices'"):
        trained(layer, jnp.ones((4, 3)), variables)


def test_bad_input_is_named():
    for decay in (-0.1, 1.1):
        with pytest.raises(ValueError, match=f"decay .* got {decay}"):
            BatchNorm(decay)
    with pytest.raises(ValueError, match="eps .* got -1"):
        BatchNorm(eps=-1.0)
    with pytest.raises(ValueError, match="eps .* got -1"):
        undo_batch_norm(jnp.zeros(2), jnp.ones(2), eps=-1.0)
    with untyped(), pytest.raises(TypeError, match="scale_init must be a function, got 1.0"):
        BatchNorm(scale_init=1.0)
    with pytest.raises(ValueError, match="x must have two or more values per feature .* got 0"):
        trained(BatchNorm(), jnp.ones((0, 3)))
    with untyped():
        for axis in ("channel", 1.0, None, True, (1, "a")):
            with pytest.raises(TypeError, match="axis must be an integer, got"):
                BatchNorm(axis=axis)
        with pytest.raises(TypeError, match=r"integer or a tuple of integers, got \[0, 1\]"):
            BatchNorm(axis=[0, 1])
        with pytest.raises(TypeError, match="axis_name must be a str, got 3"):
            BatchNorm(axis_name=3)
        for train in ("False", None, 1):
            with pytest.raises(TypeError, match="train must be a bool, got"):
                BatchNorm().init(KEY, jnp.ones((2, 3)), train=train)
        for x in ([[1.0]], jnp.ones((2, 3), int)):
            with pytest.raises(TypeError, match="x must be a floating array, got"):
                BatchNorm().init(KEY, x, train=True)
        with pytest.raises(ValueError, match=r"shape of mean, \(2,\), got \(3,\)"):
            undo_batch_norm(jnp.zeros(2), jnp.ones(3))
        with pytest.raises(ValueError, match="var must be finite and at least 0, got"):
            undo_batch_norm(jnp.zeros(2), -jnp.ones(2))
        with pytest.raises(TypeError, match=r"mean must be a floating array, got \[1.0\]"):
            undo_batch_norm([1.0], jnp.ones(1))
    for ndim in (0, 1):
        with pytest.raises(ValueError, match=f"x must have at least two axes, got {ndim}"):
            BatchNorm().init(KEY, jnp.ones((3,) * ndim), train=True)
    with pytest.raises(TypeError, match="train"):
        BatchNorm().init(KEY, jnp.ones((2, 3)))
