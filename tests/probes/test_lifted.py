"""Layers in `nn.scan` and `nn.vmap` against the loop; what does not carry the probes is refused."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from jaxtricks import models, normalization, probes, regularizers
from tests.untyped import untyped

X = jax.random.normal(jax.random.key(0), (6, 3))


class Block(nn.Module):
    @nn.compact
    def __call__(self, x):
        return jnp.tanh(normalization.BatchNorm()(nn.Dense(3)(x), train=False))


class Net(nn.Module):
    """Two blocks: one after the other, in a scan, or side by side in a vmap."""

    how: str
    carried: tuple[str, ...] = ("probes",)

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(3, name="first")(x)
        if self.how in ("loop", "sides"):
            blocks = [Block(name=f"block{i}") for i in range(2)]
            if self.how == "loop":
                return blocks[1](blocks[0](x))
            return sum(block(x) for block in blocks)
        lifted = {
            "variable_axes": dict.fromkeys(("params", "batch_stats", *self.carried), 0),
            "split_rngs": {"params": True},
        }
        block = Block(name="block")
        if self.how == "scan":
            return nn.scan(lambda b, x, _: (b(x), None), length=2, **lifted)(block, x, None)[0]
        each = nn.vmap(lambda b, x: b(x), in_axes=None, axis_size=2, **lifted)
        return jnp.sum(each(block, x), axis=0)


def stacked(tree):
    """`{"block0/...": a, "block1/...": b}` as `{"block/...": [a, b]}`."""
    pairs = {
        n: (x, tree[n.replace("block0", "block1")]) for n, x in tree.items() if "block1" not in n
    }
    return {
        name.replace("block0", "block"): jnp.stack(pair) if "block" in name else pair[0]
        for name, pair in pairs.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("at", ["input", "output"])
@pytest.mark.parametrize("plain, lifted", [("loop", "scan"), ("sides", "vmap")])
def test_a_stack_that_carries_the_probes_has_the_values_of_its_layers(plain, lifted, at):
    def look(how, variables):
        def loss(y):
            return jnp.sum(jnp.sin(y))

        return (
            probes.layer_values(Net(how), variables, X, at=at),
            probes.layer_gradients(loss, Net(how), variables, X, at=at),
            probes.dead_units(Net(how), variables, X, 4, at=at),
        )

    look = jax.jit(look, static_argnums=0)
    one = Net(plain).init(jax.random.key(1), X)
    merged = {
        kind: {
            **({"first": tree["first"]} if "first" in tree else {}),
            "block": jax.tree.map(lambda *x: jnp.stack(x), tree["block0"], tree["block1"]),
        }
        for kind, tree in one.items()
    }
    for want, got in zip(look(plain, one), look(lifted, merged), strict=True):
        assert list(got) == list(stacked(want))
        chex.assert_trees_all_close(dict(got), stacked(want), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["scan", "vmap"])
def test_a_stack_that_does_not_is_refused_by_name(how):
    net = Net(how, carried=())
    variables = net.init(jax.random.key(1), X)
    with pytest.raises(ValueError, match=f'block/Dense_0 is a layer inside .*nn.{how}.*"probes"'):
        probes.layer_values(net, variables, X)
    with pytest.raises(ValueError, match=f'nn.{how}.*variable_axes={{"probes": 0'):
        probes.dead_units(net, variables, X, 3, layers=normalization.BatchNorm)


def test_dropout_in_a_stack_asks_for_split_keys():
    class Dropped(nn.Module):
        keys: bool

        @nn.compact
        def __call__(self, x):
            body = nn.scan(
                lambda layer, x, _: (layer(x, train=True), None),
                split_rngs={"dropout": True} if self.keys else {},
                length=2,
            )
            return body(regularizers.Dropout(0.5), x, None)[0]

    rngs = {"dropout": jax.random.key(0)}
    assert jnp.shape(Dropped(True).apply({}, X, rngs=rngs)) == X.shape
    with pytest.raises(ValueError, match='split_rngs={"dropout": True} to nn.scan or nn.vmap'):
        Dropped(False).apply({}, X, rngs=rngs)


@pytest.mark.slow
def test_a_traced_mode_is_refused_with_the_way_around_it():
    net = models.MLP((4, 2), dropout_rates=0.5)
    variables = net.init(jax.random.key(1), X, train=False)
    with (
        untyped(),
        pytest.raises(TypeError, match="train must be a bool, got a traced value: .* nn.remat"),
    ):
        nn.remat(models.MLP)((4, 2)).apply(variables, X, train=True)

    class Advised(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            layer = models.MLP((4, 2), dropout_rates=0.5, name="net")
            return nn.remat(lambda layer, x: layer(x, train=train))(layer, x)

    inside = {kind: {"net": tree} for kind, tree in variables.items()}
    for train in (False, True):
        got = Advised().apply(inside, X, train=train, rngs={"dropout": jax.random.key(2)})
        assert jnp.shape(got) == (6, 2)
        if not train:
            chex.assert_trees_all_close(got, net.apply(variables, X, train=False), rtol=1e-5)
