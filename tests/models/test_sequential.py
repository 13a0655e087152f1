"""Layers in turn: who gets `train`, who draws what, and the rules of train and evaluation."""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from jaxtricks.models import Sequential, flatten
from jaxtricks.normalization import BatchNorm
from jaxtricks.regularizers import Dropout

KEY = jax.random.key(0)
ROWS = 1 + jax.random.uniform(jax.random.key(1), (6, 8))


@functools.partial(jax.jit, static_argnames=("net", "train"))
def run(net, *, train, key=KEY, x=ROWS):
    variables = net.init(KEY, x, train=False)
    rngs = {"dropout": key}
    return net.apply(variables, x, train=train, rngs=rngs, mutable=["batch_stats"])[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "layer, changes",
    [
        (nn.Dense(8), False),
        (nn.relu, False),
        (nn.LayerNorm(), False),
        (flatten, False),
        (Dropout(0.5), True),
        (BatchNorm(), True),
    ],
    ids=["dense", "relu", "layer norm", "flatten", "dropout", "batch norm"],
)
def test_only_dropout_and_batch_norm_change_between_train_and_evaluation(layer, changes):
    net = Sequential([layer])
    trained, evaluated = run(net, train=True), run(net, train=False)
    assert bool(jnp.any(trained != evaluated)) is changes


@pytest.mark.slow
def test_evaluation_is_a_function_and_training_one_of_the_key():
    net, other = Sequential([nn.Dense(4), Dropout(0.5)]), jax.random.key(5)
    chex.assert_trees_all_equal(run(net, train=False), run(net, train=False, key=other))
    chex.assert_trees_all_equal(run(net, train=True), run(net, train=True))
    assert jnp.any(run(net, train=True) != run(net, train=True, key=other))


def test_every_layer_and_every_call_of_a_layer_draws_its_own_mask():
    x = jnp.ones((1, 1000))
    for layers in ([Dropout(0.5), Dropout(0.5)], [Dropout(0.5)] * 2):
        kept = jnp.mean(run(Sequential(layers), train=True, x=x) > 0)
        assert abs(kept - 0.25) < 4 * (0.25 * 0.75 / 1000) ** 0.5


def test_forgetting_train_is_an_error():
    net = Sequential([nn.Dense(4)])
    with pytest.raises(TypeError, match="train"):
        net.init(KEY, ROWS)


@pytest.mark.parametrize("rngs", [{}, {"params": KEY}, {"dropouts": KEY}])
def test_a_missing_stream_is_an_error(rngs):
    net = Sequential([nn.Dense(4), Dropout(0.5)])
    variables = net.init(KEY, ROWS, train=False)
    with pytest.raises(ValueError, match="Dropout/layers_.* needs a key of the stream 'dropout'"):
        net.apply(variables, ROWS, train=True, rngs=rngs)


def test_a_function_that_takes_train_gets_it_and_one_that_takes_anything_does_not():
    def asked(x, *, train):
        return x + train

    def careless(x, **anything):
        assert not anything
        return x

    net = Sequential([asked, careless])
    assert net.apply({}, jnp.ones(()), train=True) == 2
    assert net.apply({}, jnp.ones(()), train=False) == 1


@pytest.mark.slow
def test_nested_networks_get_train_too():
    net = Sequential([Sequential([nn.Dense(4), Dropout(0.5)]), nn.Dense(2)])
    assert jnp.any(run(net, train=True) != run(net, train=False))


def test_bad_layers_are_named():
    with pytest.raises(ValueError, match="layers must not be empty"):
        Sequential([])


def test_flatten_lays_out_images_and_refuses_other_ranks():
    images = jnp.arange(24.0).reshape(2, 2, 3, 2)
    chex.assert_trees_all_equal(flatten(images)[1], jnp.arange(12.0, 24))
    for shape in ((28, 28, 1), (4,), (0, 3)):
        with pytest.raises(ValueError, match="images must be"):
            flatten(jnp.ones(shape))
    with pytest.raises(TypeError, match="images must be a floating array, got"):
        flatten(jnp.ones((2, 4), jnp.uint8))


def test_what_layers_mean_by_mask_is_their_own():
    """They used to be given which examples count; batch norm has that name for it from Flax."""
    told = []

    def attention(x, *, train, mask=None):
        assert mask is None
        return x

    def counting(x, *, example_mask):
        told.append(example_mask)
        return x

    net = Sequential([attention, counting, BatchNorm(), Sequential([BatchNorm()])])
    x, present = jnp.array([[1.0], [3.0], [jnp.nan]]), jnp.array([True, True, False])
    variables = net.init(KEY, x, train=False)
    options = {"train": True, "example_mask": present, "mutable": ["batch_stats"]}
    y, _ = net.apply(variables, x, **options)
    assert told[-1] is present
    assert y[:2].ravel().tolist() == pytest.approx([-1, 1], abs=1e-4)
