"""Blocks of fully connected networks: orders of layers, the bias that is redundant, bad blocks."""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import models, probes
from jaxtricks.models import HiddenLayer, batch_norm_block, dense_block
from jaxtricks.normalization import BatchNorm
from jaxtricks.regularizers import Dropout
from tests.untyped import untyped

KEY = jax.random.key(0)
X = jax.random.normal(KEY, (40, 6))
LEAN = functools.partial(batch_norm_block, use_bias=False)


def norm_last(hidden):
    return nn.Dense(hidden.features), hidden.activation, BatchNorm()


def dropout_first(hidden):
    return nn.Dense(hidden.features), Dropout(hidden.dropout_rate), hidden.activation


@functools.partial(jax.jit, static_argnames="net")
def trained(net, params):
    rngs = {"dropout": KEY}
    return net.apply({"params": params}, X, train=True, rngs=rngs, mutable=["batch_stats"])[0]


def params_of(net):
    return jax.jit(net.init, static_argnames="train")(KEY, X, train=False)["params"]


def test_a_block_is_told_of_each_hidden_layer():
    told = []

    def block(hidden):
        told.append(hidden)
        return dense_block(hidden)

    start, rates = nn.initializers.ones, (0.25, 0.5)
    net = models.MLP((5, 4, 3), nn.tanh, rates, block, start, jnp.float16)
    params_of(net)
    assert told == [
        HiddenLayer(5, nn.tanh, 0.25, start, jnp.float16),
        HiddenLayer(4, nn.tanh, 0.5, start, jnp.float16),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("activation, same", [(nn.relu, True), (nn.sigmoid, False)])
def test_dropout_before_and_after_an_activation_agree_for_relu_only(activation, same):
    after = models.MLP((20, 10), activation, 0.5)
    before, params = after.clone(block=dropout_first), params_of(after)
    assert np.allclose(trained(after, params), trained(before, params), atol=1e-6) is same


@pytest.mark.slow
def test_pytorchs_network_drops_before_it_activates():
    net = models.pytorch_mlp()
    own = models.MLP((200, 200, 10), nn.relu, 0.5, dropout_first)
    params = params_of(net)
    chex.assert_trees_all_equal(trained(net, params), trained(own, params))
    sigmoid = net.clone(activation=nn.sigmoid), own.clone(activation=nn.sigmoid)
    chex.assert_trees_all_equal(*(trained(one, params) for one in sigmoid))


@pytest.mark.slow
def test_behind_the_activation_the_next_layer_is_given_standardised_values():
    net = models.MLP((50, 3), block=norm_last)

    @functools.partial(jax.jit, static_argnums=0)
    def given_by(one):
        variables = net.init(KEY, X, train=False)
        return probes.layer_values(one, variables, X, at="input", train=True)["Dense_1"]

    chex.assert_trees_all_close(given_by(net).mean(0), jnp.zeros(50), atol=1e-5)
    given = given_by(net.clone(block=batch_norm_block))
    assert float(given.min()) == 0 and float(given.mean()) > 0.3


@pytest.mark.slow
def test_the_bias_before_a_batch_norm_changes_nothing_and_has_no_gradient():
    """The norm subtracts it."""
    net, lean = (models.MLP((5, 3), block=block) for block in (batch_norm_block, LEAN))
    params = params_of(net)
    params["Dense_0"]["bias"] = jnp.arange(5.0)
    without = {**params, "Dense_0": {"kernel": params["Dense_0"]["kernel"]}}
    assert jax.tree.structure(params_of(lean)) == jax.tree.structure(without)
    chex.assert_trees_all_close(trained(net, params), trained(lean, without), atol=1e-5)
    gradient = jax.jit(jax.grad(lambda p: jnp.sum(jnp.sin(trained(net, p)))))(params)
    assert float(jnp.max(jnp.abs(gradient["Dense_0"]["bias"]))) < 1e-5
    assert float(jnp.max(jnp.abs(gradient["Dense_0"]["kernel"]))) > 1e-2


@pytest.mark.slow
def test_statistics_shared_over_an_axis_are_those_of_the_whole_batch():
    whole = models.MLP((5, 3), block=batch_norm_block)
    parted = whole.clone(block=functools.partial(batch_norm_block, axis_name="parts"))
    params = params_of(whole)

    def one(part):
        given = {"params": params}
        return parted.apply(given, part, train=True, mutable=["batch_stats"])[0]

    got = jax.jit(jax.vmap(one, axis_name="parts"))(X.reshape(2, 20, 6))
    chex.assert_trees_all_close(got.reshape(40, 3), trained(whole, params), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_block_may_hold_traced_values_and_be_a_nested_network():
    def run(eps):
        block = functools.partial(normed, eps=eps)
        return trained_once(models.MLP((5, 3), block=block))

    def normed(hidden, *, eps):
        return [models.Sequential([nn.Dense(hidden.features), BatchNorm(eps=eps)])]

    def trained_once(net):
        return net.init_with_output(KEY, X, train=False)[0]

    got = jax.jit(jax.vmap(run))(jnp.array([0.1, 0.5]))
    chex.assert_trees_all_close(got, jnp.stack([run(0.1), run(0.5)]), rtol=1e-5, atol=1e-6)


class Unhashable:
    __hash__ = None

    def __call__(self, hidden):
        return dense_block(hidden)


@pytest.mark.parametrize(
    "block, message",
    [
        ("dense", "block must be a function, got 'dense'"),
        (None, "block must be a function, got None"),
        (Unhashable(), "block must be a hashable function or functools.partial, got <"),
    ],
)
def test_bad_blocks_are_named(block, message):
    with untyped(), pytest.raises(TypeError, match=message):
        models.MLP((3, 2), block=block)


@pytest.mark.parametrize(
    "returned, error, message",
    [
        (nn.relu, TypeError, "block(.*) must be a Sequence, got"),
        (iter([nn.relu]), TypeError, "block(.*) must be a Sequence, got"),
        (None, TypeError, "block(.*) must be a Sequence, got None"),
        ((), ValueError, "block(.*) must not be empty"),
        ((nn.relu, "dropout"), TypeError, r"block(.*)\[1\] must be a function, got 'dropout'"),
    ],
    ids=["function", "iterator", "nothing", "empty", "word"],
)
def test_what_a_block_returns_is_checked(returned, error, message):
    with untyped(), pytest.raises(error, match=message):
        models.MLP((3, 2), block=lambda hidden: returned).init(KEY, X, train=False)


@pytest.mark.parametrize("block", [dense_block, batch_norm_block])
def test_a_block_is_no_block_of_sizes(block):
    with untyped(), pytest.raises(TypeError, match="hidden must be a HiddenLayer, got 100"):
        block(100)


def test_bad_arguments_of_a_block_are_named():
    with untyped():
        with pytest.raises(TypeError, match="use_bias must be a bool, got 0"):
            params_of(models.MLP((3, 2), block=functools.partial(batch_norm_block, use_bias=0)))
        with pytest.raises(TypeError, match="axis_name must be a str, got 3"):
            params_of(models.MLP((3, 2), block=functools.partial(batch_norm_block, axis_name=3)))
