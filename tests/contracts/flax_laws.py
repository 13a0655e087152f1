"""What every layer must obey under Flax's own transformations, as functions of its row."""

import functools
from collections.abc import Callable

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from flax.nnx import bridge

from jaxtricks import averaging, probes
from tests.cases.build import build, first_values
from tests.contracts.layer_laws import CLOSE, KEY, OTHER, call, compiled, setting, takes_train


def transformed_layers_give_the_numbers_of_plain_ones(row):
    """Under `nn.jit` and `nn.remat`; of one key Flax's `nn.jit` makes other masks."""
    layer, variables, x, *modes = setting(row)
    static = {"static_argnames": ("train",)} if takes_train(row) else {}
    jitted = nn.jit(row.make, **static)(**{**row.static, **first_values(row)})

    @jax.jit
    def outputs(variables, key):
        inside = {kind: {"layer": tree} for kind, tree in variables.items()}
        return [
            (
                call(jitted, variables, x, train=train, key=key),
                call(stack(row, "plain"), inside, x, train=train, key=key),
                call(stack(row, "remat"), inside, x, train=train, key=key),
            )
            for train in modes
        ]

    found, others = outputs(variables, KEY), outputs(variables, OTHER)
    for train, (got, plain, remat), (other, *_) in zip(modes, found, others, strict=True):
        if row.draws and train:
            assert np.any(got[0] != other[0]), "two keys draw one mask"
        else:
            want = compiled(layer, variables, x, train=train)
            chex.assert_trees_all_close(got, want, **CLOSE)
        chex.assert_trees_all_close(remat, plain, **CLOSE)


class Stack(nn.Module):
    """A layer, applied plainly, under `nn.remat`, or as a stack of two in `nn.scan`."""

    make: Callable[..., nn.Module]
    how: str

    @nn.compact
    def __call__(self, x, **mode):
        layer = self.make(name="layer")
        if self.how == "plain":
            return layer(x, **mode)
        if self.how == "remat":
            return nn.remat(lambda layer, x: layer(x, **mode))(layer, x)
        return nn.scan(
            lambda layer, x, _: (layer(x, **mode), None),
            variable_axes={"params": 0, "batch_stats": 0},
            split_rngs={"params": True, "dropout": True},
            length=2,
        )(layer, x, None)[0]


def stack(row, how):
    return Stack(functools.partial(build, row), how)


def a_scanned_stack_equals_the_loop(row):
    """Its variables are stacked, and each layer of it draws by a key of its own."""
    layer, one, x, *modes = setting(row)
    if compiled(layer, one, x, train=modes[1])[0].shape != x.shape:
        pytest.skip("its output has another shape than its input")
    other = jax.tree.map(lambda leaf: 1.5 * np.asarray(leaf) + 0.1, one)
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), one, other)
    inside = {kind: {"layer": tree} for kind, tree in stacked.items()}

    @jax.jit
    def scanned(variables, key):
        return [call(stack(row, "scan"), variables, x, train=train, key=key) for train in modes]

    (trained, state), (evaluated, _) = scanned(inside, KEY)
    want = x
    for variables in (one, other):
        want, _ = compiled(layer, variables, want, train=modes[1])
    chex.assert_trees_all_close(evaluated, want, **CLOSE)
    if row.draws:
        (again, _), _ = scanned(inside, OTHER)
        assert np.any(trained != again)
        return
    want, states = x, []
    for variables in (one, other):
        want, new = compiled(layer, variables, want, train=modes[0])
        states.append(new)
    chex.assert_trees_all_close(trained, want, **CLOSE)
    new = jax.tree.map(lambda *leaves: np.stack(leaves), *states)
    got = {kind: tree["layer"] for kind, tree in state.items()}
    chex.assert_trees_all_close(got, new, **CLOSE)


def it_works_in_nnx(row):
    layer, _, x, _, evaluation = setting(row)
    mode = {} if evaluation is None else {"train": evaluation}
    model = bridge.lazy_init(bridge.ToNNX(layer, rngs=nnx.Rngs(params=0)), x, **mode)
    attributes = {n: v for n, v in vars(model).items() if n[0] != "_" and "nnx" not in n}
    variables = bridge.variables.nnx_attrs_to_linen_vars(attributes)
    got = model(x, **mode)
    chex.assert_trees_all_close(got, compiled(layer, variables, x, train=evaluation)[0], **CLOSE)


class Pair(nn.Module):
    """Two layers of one class on one input."""

    make: Callable[..., nn.Module]
    remat: bool = False

    @nn.compact
    def __call__(self, x, **mode):
        layers = self.make(name="a"), self.make(name="b")
        if self.remat:
            return [nn.remat(lambda layer, x: layer(x, **mode))(layer, x) for layer in layers]
        return [layer(x, **mode) for layer in layers]


def pairs(row, **changes):
    """A plain pair, one of `nn.jit`, one of `nn.remat`, their variables, input and evaluation."""
    layer, one, x, _, evaluation = setting(row, **changes)
    fields = {**row.static, **first_values(row), **changes}
    static = {"static_argnames": ("train",)} if takes_train(row) else {}
    plain = Pair(functools.partial(row.make, **fields))
    jitted = Pair(functools.partial(nn.jit(row.make, **static), **fields))
    other = jax.tree.map(lambda leaf: 1.5 * np.asarray(leaf) + 0.1, one)
    variables = {"params": {}, **{kind: {"a": one[kind], "b": other[kind]} for kind in one}}
    mode = {} if evaluation is None else {"train": evaluation}
    return plain, jitted, Pair(plain.make, remat=True), variables, x, mode


def probes_see_transformed_layers_like_plain_ones(row):
    """`nn.jit` keeps traces and calls no layer where it uses one, as it does in the second layer
    of a pair and in every later call of a model: by both ways it must be seen all the same."""
    plain, jitted, remat, variables, x, mode = pairs(row)

    def looked(net, variables, at):
        def loss(outputs):
            return sum(jnp.sum(jnp.sin(y)) for y in outputs)

        net.apply(variables, x, **mode)
        return (
            probes.layer_values(net, variables, x, at=at, **mode),
            probes.layer_gradients(loss, net, variables, x, at=at, **mode),
            probes.dead_units(net, variables, x, len(x), at=at, **mode),
        )

    look = jax.jit(functools.partial(looked, at="output"), static_argnums=0)
    want, inputs = look(plain, variables), jax.eval_shape(lambda: looked(plain, variables, "input"))
    assert {"a", "b"} <= set(want[0])
    for net in (jitted, remat):
        got = look(net, variables)
        assert [list(found) for found in got] == [list(found) for found in want]
        chex.assert_trees_all_close(got, want, **CLOSE)
        assert jax.eval_shape(lambda net=net: looked(net, variables, "input")) == inputs


def batch_norm_is_estimated_in_transformed_layers_as_in_plain_ones(row):
    """`measure_batch_norm` refuses `nn.remat`; without dropout, for which `nn.jit` draws anew."""
    rates = {name: 0.0 for name in row.hyper if "rate" in name}
    plain, jitted, remat, variables, x, _ = pairs(row, **rates)
    if row.draws and not rates:
        pytest.skip("its dropout cannot be switched off")

    @functools.partial(jax.jit, static_argnames=("net", "train"))
    def estimate(net, variables, *, train):
        def apply(variables, x):
            return net.apply(variables, x, train=train, mutable=["batch_stats"])[1]

        apply(variables, x[:2])
        if train:
            return averaging.recalibrate_batch_norm(apply, variables, x, 2, unbiased=True)
        return averaging.measure_batch_norm(apply, variables, x, 2)

    for net, train in ((jitted, False), (jitted, True), (remat, True)):
        want, got = (estimate(one, variables, train=train) for one in (plain, net))
        chex.assert_trees_all_close(got, want, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="is inside nn.remat"):
        estimate(remat, variables, train=False)
