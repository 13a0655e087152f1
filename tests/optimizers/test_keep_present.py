"""`keep_present` names the parameters whose gradient is not 0: those of units that are present."""

import functools
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import optimizers
from jaxtricks.normalization import BatchNorm
from tests.untyped import untyped

KEY = jax.random.key(0)
FIRST, SECOND = np.array([1, 0, 1, 1, 0], bool), np.array([0, 1, 1, 0], bool)
SIX = np.arange(6) % 2 == 0
CHANNELS, INPUTS = np.array([0, 1, 1], bool), np.array([1, 1, 0, 1], bool)


class Net(nn.Module):
    """Layers in turn; a mask of bools is one that dropout could have drawn for all examples."""

    layers: Sequence

    @nn.compact
    def __call__(self, x):
        for layer in self.layers:
            if isinstance(layer, np.ndarray):
                x = x * layer.reshape((1,) * (x.ndim - 1) + (-1,))
            elif layer == "batch norm":
                x = BatchNorm()(x, train=True)
            elif layer == "flatten":
                x = x.reshape(len(x), -1)
            elif isinstance(layer, int):
                x = nn.softplus(nn.Dense(layer)(x))
            else:
                x = nn.softplus(layer()(x))
        return x


class Block(nn.Module):
    """A layer inside of a layer."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(5)(x)


def conv():
    return nn.Conv(3, (2, 2))


CASES = {
    "two hidden layers and inputs": (
        (INPUTS, 5, FIRST, 4, SECOND, 2),
        (3, 4),
        {
            (None, "Dense_0"): INPUTS,
            ("Dense_0", "Dense_1"): FIRST,
            ("Dense_1", "Dense_2"): SECOND,
        },
    ),
    "images": (
        (conv, CHANNELS, conv, CHANNELS, "flatten", 2),
        (2, 3, 2, 1),
        {("Conv_0", "Conv_1"): CHANNELS, ("Conv_1", "Dense_0"): CHANNELS},
    ),
    "batch norm": (
        (5, "batch norm", FIRST, 2),
        (3, 4),
        {("Dense_0", "Dense_1"): FIRST, ("BatchNorm_0", None): FIRST},
    ),
    "nested": ((Block, FIRST, 2), (3, 4), {("Block_0/Dense_0", "Dense_0"): FIRST}),
    "one for all": ((5, np.zeros(1, bool), 2), (3, 4), {("Dense_0", "Dense_1"): np.zeros(1, bool)}),
    "none": ((5, 2), (3, 4), {}),
}


@functools.partial(jax.jit, static_argnums=0)
def gradients(case):
    """The parameters of a net, and the gradients of its outputs' sum with random weights."""
    layers, shape, _ = CASES[case]
    net, x = Net(layers), jax.random.normal(KEY, shape)
    variables = net.init(KEY, x)
    weights = jax.random.normal(KEY, (len(x), 2))

    def total(params):
        outputs, _ = net.apply({**variables, "params": params}, x, mutable=["batch_stats"])
        return jnp.sum(weights * outputs)

    return variables["params"], jax.grad(total)(variables["params"])


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_what_stays_has_the_gradient_0_and_nothing_else(case):
    params, slopes = gradients(case)
    keep = optimizers.keep_present(params, CASES[case][2])
    tx = optimizers.freeze_dropped()
    ones = jax.tree.map(jnp.ones_like, params)
    updates, _ = tx.update(ones, tx.init(params), params, keep=keep)
    for one, slope in zip(jax.tree.leaves(updates), jax.tree.leaves(slopes), strict=True):
        np.testing.assert_array_equal(one, np.asarray(slope) != 0)


LAYER = {"kernel": jnp.ones((4, 6)), "bias": jnp.ones(6)}
PARAMS = {"a": LAYER, "b": {"scale": jnp.ones(6)}, "c": {"kernel": jnp.ones((12, 2))}}


def test_units_may_be_traced_and_mapped():
    units = jax.random.bernoulli(KEY, 0.5, (3, 6))
    of = jax.jit(jax.vmap(lambda u: optimizers.keep_present(PARAMS, {("a", "c"): u})))
    got = of(units)
    np.testing.assert_array_equal(got["a"]["bias"], units)
    np.testing.assert_array_equal(got["c"]["kernel"][..., 0], np.tile(units, 2))
    assert got["b"]["scale"] is None


@pytest.mark.parametrize(
    "units, error, words",
    [
        ({("a", "d"): SIX}, ValueError, r"units must name layers of params with a kernel, .* 'd'"),
        ({("a", "b"): SIX}, ValueError, r"units must name .* \['a', 'c'\], got 'b'"),
        ({("A", "c"): SIX}, ValueError, r"units must name layers of params, \['a', .* got 'A'"),
        ({("a/kernel", "c"): SIX}, ValueError, "units must name layers .* got 'a/kernel'"),
        ({("a", "c"): SIX[:5]}, ValueError, r"units\[\('a', 'c'\)\] .* params\['a'\]\['.* got 5"),
        ({(None, "a"): SIX}, ValueError, r"units\[\(None, 'a'\)\] must hold .* \(4, 6\), got 6"),
        (
            {(None, "a"): SIX[:3]},
            ValueError,
            r"units\[\(None, 'a'\)\] must hold .* \(4, 6\), got 3",
        ),
        ({"a": SIX}, TypeError, "units must have pairs of names as keys, got 'a'"),
        ({("a", 1): SIX}, TypeError, r"units must have pairs of names as keys, got \('a', 1\)"),
        ({("a", "c"): SIX.astype(int)}, TypeError, r"units\[.*\] must be a vector of bools"),
        ({("a", "c"): SIX[None]}, TypeError, r"units\[.*\] must be a vector of bools"),
        ({("a", "c"): True}, TypeError, r"units\[.*\] must be a vector of bools, got True"),
        ([("a", "c")], TypeError, "units must be a Mapping"),
    ],
)
def test_bad_units_are_named(units, error, words):
    with untyped(), pytest.raises(error, match=words):
        optimizers.keep_present(PARAMS, units)
