"""Dropout: its laws, its one stream, and the same mask on any number of devices."""

import contextlib
import functools
import math
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxtricks.regularizers import Dropout, dropout
from jaxtricks.regularizers._bernoulli_mask import bernoulli_mask
from tests.untyped import untyped

KEY = jax.random.key(0)
compiled = jax.jit(dropout)


RATES = np.array([0.1, 0.25, 0.5, 0.9], np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(20001,), (20, 10, 10, 7), (4000, 5), (200, 33, 3)])
def test_drops_the_share_that_it_is_told_and_scales_the_rest(shape):
    x = jnp.linspace(1, 2, math.prod(shape)).reshape(shape)
    mapped = jax.jit(jax.vmap(lambda rate: dropout(KEY, x, rate)))(RATES)
    for rate, y in zip(RATES, np.asarray(mapped), strict=True):
        kept = y != 0
        np.testing.assert_allclose(y, np.where(kept, x / (1 - rate), 0), rtol=1e-4)
        assert abs(kept.mean() - (1 - rate)) < 4 * (rate * (1 - rate) / x.size) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
def test_a_known_rate_draws_the_mask_of_a_traced_one(rate):
    known = jax.jit(lambda key: dropout(key, jnp.ones((7, 300)), rate))
    chex.assert_trees_all_close(known(KEY), compiled(KEY, jnp.ones((7, 300)), rate), rtol=1e-6)


@pytest.mark.parametrize("rate, numbers", [(0.5, 1), (0.25, 2), (0.75, 2), (0.1, 15), (0.0, 0)])
def test_a_mask_costs_as_many_random_bits_as_the_rate_has_digits(rate, numbers):
    drawn = str(jax.make_jaxpr(lambda key: dropout(key, jnp.ones((4, 8, 8)), rate))(KEY))
    assert f"u32[{numbers},8]" in drawn


@pytest.mark.parametrize("shape", [(40, 1), (10, 15), (6, 16), (6, 3, 11), (3, 4, 4, 3)])
def test_no_mask_costs_more_random_numbers_than_entries(shape):
    """Of narrow rows the words hold few entries each, and there are 16 of them for most rates."""
    jaxpr = jax.make_jaxpr(lambda key: dropout(key, jnp.ones(shape), 0.3))(KEY)
    drawn = re.findall(r"random_bits\[bit_width=\d+ shape=\(([\d, ]+)\)", str(jaxpr))
    numbers = [math.prod(int(size) for size in found.split(",") if size) for found in drawn]
    assert len(numbers) == 1 and numbers[0] <= math.prod(shape)


@pytest.mark.parametrize("shape", [(40000,), (8000, 5)])
@pytest.mark.parametrize("distance", [1, 2, 32, 128])
def test_neighbours_are_dropped_independently(distance, shape):
    kept = np.asarray(compiled(KEY, jnp.ones(shape), 0.5)).ravel() != 0
    same = np.mean(kept[:-distance] == kept[distance:])
    assert abs(same - 0.5) < 4 * 0.5 / 40000**0.5


def test_rate_0_keeps_and_rate_1_drops_everything():
    x = jnp.linspace(1, 2, 1001)
    chex.assert_trees_all_equal(compiled(KEY, x, 0.0), x)
    chex.assert_trees_all_equal(compiled(KEY, x, 1.0), jnp.zeros_like(x))


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_gradients_are_finite_and_zero_for_dropped_entries(rate):
    x = jnp.arange(1.0, 101)
    gradient = jax.jit(jax.grad(lambda x, rate: jnp.sum(dropout(KEY, x, rate)), (0, 1)))
    by_x, by_rate = gradient(x, rate)
    chex.assert_trees_all_close(by_x, compiled(KEY, jnp.ones(100), rate))
    assert jnp.isfinite(by_rate)


def test_the_rate_may_be_mapped():
    rates, x = np.array([0.0, 0.3, 1.0], np.float32), jnp.ones((4, 5))
    got = jax.jit(jax.vmap(dropout, (None, None, 0)))(KEY, x, rates)
    want = np.stack([compiled(KEY, x, rate) for rate in rates])
    chex.assert_trees_all_close(got, want, rtol=1e-6)


@pytest.mark.parametrize("shape", [(), (3, 0), (5, 1)])
def test_odd_shapes_and_half_precision_stay(shape):
    y = compiled(KEY, jnp.ones(shape, jnp.bfloat16), 0.5)
    assert y.shape == shape and y.dtype == jnp.bfloat16


@pytest.mark.slow
@pytest.mark.parametrize("shape, share", [((8, 33), 256), ((8, 3), 12), ((8, 5, 7, 3), 512)])
def test_sharded_masks_are_those_of_one_device_and_each_draws_its_share(shape, share):
    """The largest array of integers of the compiled program has half the entries; none is sent."""
    x = jnp.ones(shape)
    sharding = NamedSharding(Mesh(jax.devices()[:2], ("data",)), PartitionSpec("data"))
    placed = jax.device_put(x, sharding)
    got = jax.block_until_ready(compiled(KEY, placed, 0.5))
    chex.assert_trees_all_equal(jax.device_get(got), jax.device_get(compiled(KEY, x, 0.5)))
    program = str(compiled.lower(KEY, placed, 0.5).compile().as_text())
    sizes = re.findall(r"u(?:16|32)\[([\d,]+)\]", program)
    assert max(math.prod(map(int, size.split(","))) for size in sizes) <= share
    assert not re.search("all-|collective", program)


def test_the_layer_draws_only_in_training_and_only_if_it_drops():
    x = jnp.ones(10)
    chex.assert_trees_all_equal(Dropout(0.5).apply({}, x, train=False), x)
    chex.assert_trees_all_equal(Dropout(0.0).apply({}, x, train=True), x)
    assert Dropout(0.5).init(KEY, x, train=False) == {}


@pytest.mark.parametrize("rngs", [{}, {"params": KEY}, {"drop": KEY}])
def test_no_other_stream_replaces_a_missing_one(rngs):
    with pytest.raises(ValueError, match="Dropout.* needs a key of the stream 'dropout'"):
        Dropout(0.5).apply({}, jnp.ones(10), train=True, rngs=rngs)
    with pytest.raises(ValueError, match="Dropout.* needs a key of the stream 'dropout'"):
        Dropout(0.5).init(KEY, jnp.ones(10), train=True)


def test_a_rate_at_the_call_replaces_the_layer_s_and_may_be_traced():
    layer, x, rngs = Dropout(0.5), jnp.ones(10), {"dropout": KEY}
    run = jax.jit(lambda rate: layer.apply({}, x, train=True, rate=rate, rngs=rngs))
    chex.assert_trees_all_close(run(0.2), Dropout(0.2).apply({}, x, train=True, rngs=rngs))
    chex.assert_trees_all_equal(run(1.0), jnp.zeros(10))
    chex.assert_trees_all_equal(layer.apply({}, x, train=True, rate=0.0), x)


@pytest.mark.parametrize("rate", [-0.1, 1.5, float("nan")])
def test_bad_rates_are_named(rate):
    with untyped(), pytest.raises(TypeError, match="train must be a bool, got 'False'"):
        Dropout(0.5).apply({}, jnp.ones(3), train="False")
    with pytest.raises(ValueError, match=f"rate must be in .* got {rate}"):
        Dropout(rate)
    with pytest.raises(ValueError, match=f"rate must be in .* got {rate}"):
        dropout(KEY, jnp.ones(3), rate)
    with pytest.raises(ValueError, match=f"rate must be in .* got {rate}"):
        Dropout(0.5).apply({}, jnp.ones(3), train=False, rate=rate)


@pytest.mark.parametrize("x", [jnp.ones(8, jnp.int32), jnp.full(4, 200, jnp.uint8), [1.0, 2.0]])
def test_what_cannot_be_scaled_is_refused(x):
    """A whole 1 over 0.7 would be 1 again, and 400 no uint8."""
    with untyped(), pytest.raises(TypeError, match="x must be a floating array, got"):
        dropout(jax.random.key(0), x, 0.3)
    with untyped(), pytest.raises(TypeError, match="key must be a typed key .* got 0"):
        dropout(0, jnp.ones(3), 0.3)


def test_a_repeated_eager_call_compiles_nothing():
    x = jnp.ones((3, 50))
    dropout(KEY, x, 0.1)
    with count_compilations() as compiled_again:
        dropout(jax.random.key(1), x, 0.1)
    assert not compiled_again


@contextlib.contextmanager
def count_compilations():
    """The events of tracing and compiling while the context is open."""
    seen = []

    def listen(event, duration, **kwargs):
        if event.startswith("/jax/core/compile"):
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield seen
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def test_compilations_are_counted():
    with count_compilations() as seen:
        jax.jit(lambda x: x + 3)(jnp.ones(7))
    assert seen


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.0, 1e-3, 0.1, 0.3, 0.9, 1 - 3 * 2**-16])
def test_the_entries_that_stay_are_divided_by_the_probability_drawn(rate):
    """A multiple of 2^-16 nearest to `1 - rate`, which near a rate of 1 differs much from it."""
    share = round((1 - np.float32(rate).item()) * 2**16)
    for f in (dropout, compiled):
        y = np.asarray(f(KEY, jnp.ones(400_000), rate))
        np.testing.assert_allclose(y[y != 0], 2**16 / share, rtol=1e-6)
    _, probability = bernoulli_mask(KEY, (3,), rate)
    assert float(probability) == share / 2**16


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.0, 0.3, 1 - 2**-12, 1.0])
def test_the_gradient_by_the_rate_is_that_of_the_division_and_finite_at_both_ends(rate):
    x = jnp.linspace(1, 2, 30_000)
    y, slope = jax.jvp(lambda rate: jnp.sum(dropout(KEY, x, rate)), (rate,), (1.0,))
    want = float(y) / (1 - rate) if rate < 1 else 0.0
    np.testing.assert_allclose(slope, want, rtol=1e-4)


def test_old_keys_that_flax_passes_on_draw_the_masks_of_new_ones():
    x = jnp.ones((4, 9))
    old, new = jax.random.PRNGKey(7), jax.random.key(7)
    got = Dropout(0.5).apply({}, x, train=True, rngs={"dropout": old})
    want = Dropout(0.5).apply({}, x, train=True, rngs={"dropout": new})
    chex.assert_trees_all_equal(got, want)
    with untyped(), pytest.raises(TypeError, match="key must be a typed key"):
        dropout(old, x, 0.5)


def test_a_layer_draws_from_the_stream_that_it_is_told():
    x, layer = jnp.ones((4, 9)), Dropout(0.5, rng_collection="masks")
    got = layer.apply({}, x, train=True, rngs={"masks": KEY})
    want = Dropout(0.5).apply({}, x, train=True, rngs={"dropout": KEY})
    assert jnp.any(got != x)
    chex.assert_trees_all_equal(got, want)
    with pytest.raises(ValueError, match="Dropout.* needs a key of the stream 'masks' .* rngs="):
        layer.apply({}, x, train=True, rngs={"dropout": KEY})
    with pytest.raises(ValueError, match="rng_collection must be .* got 'params'"):
        Dropout(0.5, rng_collection="params")
    with untyped(), pytest.raises(TypeError, match="rng_collection must be a str, got None"):
        Dropout(0.5, rng_collection=None)


@pytest.mark.parametrize("axes", [(0,), (0, -1), (1, 2, 3), (0, 1, 2), ()])
@pytest.mark.parametrize("inverted", [True, False])
def test_entries_share_their_draw_along_the_other_axes(axes, inverted):
    """And along its own axes the share that stays is `1 - rate`."""
    x, rate = jnp.linspace(1, 2, 20 * 6 * 7 * 8).reshape(20, 6, 7, 8), 0.3
    keys = jax.random.split(KEY, 200)
    drop = jax.jit(lambda key: dropout(key, x, rate, mask_axes=axes, inverted=inverted))
    kept = np.asarray(jax.lax.map(drop, keys)) != 0
    own = [axis % 4 for axis in axes]
    shared = tuple(1 + axis for axis in range(4) if axis not in own)
    assert np.all(kept == kept.any(axis=shared, keepdims=True))
    draws = kept.any(axis=shared).reshape(200, -1)
    error = (rate * (1 - rate) / draws.size) ** 0.5
    assert abs(draws.mean() - (1 - rate)) < 4 * error
    assert draws.shape[1] == 1 or not np.all(draws == draws[:, :1])


@pytest.mark.slow
def test_standard_and_inverted_dropout_differ_by_the_probability_of_staying():
    x, rates = jnp.linspace(1, 2, 30_000), np.array([0.01, 0.3, 0.5, 0.9, 0.9999], np.float32)
    both = [jax.vmap(lambda r, i=i: dropout(KEY, x, r, inverted=i)) for i in (True, False)]
    inverted, standard = (np.asarray(jax.jit(one)(rates)) for one in both)
    keep = np.round((1 - rates) * 2**16) / 2**16
    np.testing.assert_allclose(standard, inverted * keep[:, None], rtol=1e-6)
    assert np.all((standard == 0) | (standard == np.asarray(x)))


@pytest.mark.slow
def test_standard_dropout_is_scaled_in_evaluation():
    """To the mean of what training gives, at any rate; at 1 that is nothing."""
    layer, x = Dropout(0.5, inverted=False), jnp.linspace(1, 2, 50)
    run = jax.jit(lambda rate, train, key: layer.apply(
        {}, x, train=train, rate=rate, rngs={"dropout": key}), static_argnames="train")  # fmt: skip
    for rate in (0.0, 0.1, 0.5, 1.0):
        got = run(rate, False, KEY)
        np.testing.assert_allclose(got, x * np.round((1 - rate) * 2**16) / 2**16, rtol=1e-6)
        keys = jax.random.split(KEY, 4000)
        mean = jnp.mean(jax.lax.map(lambda key, r=rate: run(r, True, key), keys), axis=0)
        error = 2 * (rate * (1 - rate) / 4000) ** 0.5
        assert np.max(np.abs(mean - got)) <= 5 * error + 1e-6
    assert run(1.0, False, KEY).tolist() == [0.0] * 50


def test_the_masks_are_sown_where_they_are_asked_for():
    layer, x, rngs = Dropout(0.5, mask_axes=(0, 2)), jnp.ones((4, 3, 5)), {"dropout": KEY}
    y, sown = layer.apply({}, x, train=True, rngs=rngs, mutable=["masks"])
    (mask,) = sown["masks"]["keep"]
    assert mask.shape == (4, 1, 5) and mask.dtype == bool
    chex.assert_trees_all_equal(y != 0, jnp.broadcast_to(mask, x.shape))
    _, sown = layer.apply({}, x, train=False, mutable=["masks"])
    assert sown == {} and layer.init({"params": KEY, "dropout": KEY}, x, train=True) == {}


@pytest.mark.parametrize(
    "axes, error, words",
    [
        ("01", TypeError, "mask_axes must be None or a sequence of integers, got '01'"),
        (0, TypeError, "mask_axes must be .* got 0"),
        ((0, 1.5), TypeError, "mask_axes must be .* got"),
        ((True,), TypeError, "mask_axes must be .* got"),
        ((0, 0), ValueError, "mask_axes must name each axis once"),
        ((0, -2), ValueError, r"mask_axes must name each axis once, got \(0, -2\)"),
        ((2,), ValueError, r"mask_axes must name axes of the input, which has 2, got \(2,\)"),
    ],
)
def test_bad_axes_are_named(axes, error, words):
    with untyped(), pytest.raises(error, match=words):
        dropout(KEY, jnp.ones((3, 4)), 0.5, mask_axes=axes)
    with untyped(), pytest.raises(error, match=words):
        Dropout(0.5, axes).apply({}, jnp.ones((3, 4)), train=True, rngs={"dropout": KEY})


@pytest.mark.slow
def test_each_device_of_a_mapped_axis_may_have_a_key_and_a_rate_of_its_own():
    """One device suffices: what counts is that JAX takes key and rate for different ones."""
    mesh, split = jax.make_mesh((1,), ("d",), (jax.sharding.AxisType.Auto,)), jax.P("d")

    @jax.jit
    @functools.partial(jax.shard_map, mesh=mesh, in_specs=split, out_specs=split)
    def mapped(x, rate):
        key = jax.random.fold_in(KEY, jax.lax.axis_index("d"))
        return jnp.stack([dropout(key, x, 0.5), dropout(key, x, rate[0]), dropout(KEY, x, rate[0])])

    x = jnp.ones((4, 64))
    want = jax.jit(dropout)(jax.random.fold_in(KEY, 0), x, 0.5)
    np.testing.assert_array_equal(mapped(x, jnp.array([0.5]))[:2], jnp.stack([want, want]))
