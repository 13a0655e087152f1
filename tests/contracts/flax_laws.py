"""What every layer must obey under Flax's own transformations, as functions of its row."""

import functools
from collections.abc import Callable

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from flax.nnx import bridge

from tests.cases.build import build, first_values
from tests.contracts.layer_laws import CLOSE, OTHER, call, compiled, setting, takes_train


def transformed_layers_give_the_numbers_of_plain_ones(row):
    """Under `nn.jit` and `nn.remat`; of one key Flax's `nn.jit` makes other masks."""
    layer, variables, x, *modes = setting(row)
    static = {"static_argnames": ("train",)} if takes_train(row) else {}
    jitted = nn.jit(row.make, **static)(**{**row.static, **first_values(row)})
    for train in modes:
        want, got = (compiled(one, variables, x, train=train) for one in (layer, jitted))
        if row.draws and train:
            other, _ = compiled(jitted, variables, x, train=True, key=OTHER)
            assert jnp.any(got[0] != other), "two keys draw one mask"
        else:
            chex.assert_trees_all_close(got, want, **CLOSE)
        inside = {kind: {"layer": tree} for kind, tree in variables.items()}
        plain, got = (
            jax.jit(functools.partial(call, stack(row, how), train=train))(inside, x)
            for how in ("plain", "remat")
        )
        chex.assert_trees_all_close(got, plain, **CLOSE)


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
    other = jax.tree.map(lambda leaf: 1.5 * leaf + 0.1, one)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), one, other)
    inside = {kind: {"layer": tree} for kind, tree in stacked.items()}
    scanned = jax.jit(functools.partial(call, stack(row, "scan")), static_argnames="train")
    y, _ = scanned(inside, x, train=modes[1])
    want = x
    for variables in (one, other):
        want, _ = compiled(layer, variables, want, train=modes[1])
    chex.assert_trees_all_close(y, want, **CLOSE)
    trained, state = scanned(inside, x, train=modes[0])
    if row.draws:
        again, _ = scanned(inside, x, train=modes[0], key=OTHER)
        assert jnp.any(trained != again)
        return
    want, states = x, []
    for variables in (one, other):
        want, new = compiled(layer, variables, want, train=modes[0])
        states.append(new)
    chex.assert_trees_all_close(trained, want, **CLOSE)
    new = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
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
