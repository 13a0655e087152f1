"""Old-style keys (`jax.random.PRNGKey`) draw what typed ones draw wherever `rngs` go."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxtricks import models, probes, regularizers, training
from tests.untyped import untyped

TYPED, OLD = jax.random.key(3), jax.random.PRNGKey(3)
X = jax.random.normal(jax.random.key(0), (6, 4))
NET = models.MLP((8, 3), dropout_rates=0.5, block=models.batch_norm_block)


class Lifted(nn.Module):
    """Dropout inside one of Flax's transformations."""

    how: str

    @nn.compact
    def __call__(self, x):
        layer, split = regularizers.Dropout(0.5), {"dropout": True}
        if self.how == "remat":
            return nn.remat(lambda layer, x: layer(x, train=True))(layer, x)
        if self.how == "jit":
            return nn.jit(lambda layer, x: layer(x, train=True))(layer, x)
        if self.how == "scan":
            body = nn.scan(lambda d, x, _: (d(x, train=True), None), split_rngs=split, length=2)
            return body(layer, x, None)[0]
        return nn.vmap(lambda d, x: d(x, train=True), {}, split_rngs=split)(layer, x)


def variables():
    return NET.init(jax.random.key(1), X, train=False)


def nnx_outputs(key):
    model = nnx.Sequential(nnx.Linear(4, 5, rngs=nnx.Rngs(0)), nnx.Dropout(0.5, rngs=nnx.Rngs(1)))
    split, apply = training.split_nnx(model)
    return apply(split, X, train=True, rngs={"dropout": key})[0]


def loss(key):
    params, stats = variables()["params"], {"batch_stats": variables()["batch_stats"]}
    batch = {"image": X, "label": np.arange(6, dtype=np.int32) % 3}
    with untyped():  # a trainer gives typed ones
        return training.classification_loss(NET)(params, stats, batch, {"dropout": key}, train=True)


USES = {
    "init": lambda key: NET.init({"params": key, "dropout": key}, X, train=True),
    "init of Maxout": lambda key: regularizers.Maxout(3).init(key, X),
    "values": lambda key: probes.layer_values(
        NET, variables(), X, train=True, rngs={"dropout": key}
    ),
    "gradients": lambda key: probes.layer_gradients(
        jnp.sum, NET, variables(), X, train=True, rngs={"dropout": key}
    ),
    "dead units": lambda key: probes.dead_units(
        NET, variables(), X, 4, train=True, rngs={"dropout": key}
    ),
    "the loss": loss,
    "nnx": nnx_outputs,
    **{
        how: lambda key, how=how: Lifted(how).apply({}, X, rngs={"dropout": key})
        for how in ("remat", "jit", "scan", "vmap")
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("use", USES)
def test_an_old_key_draws_what_the_typed_one_draws(use):
    chex.assert_trees_all_equal(USES[use](OLD), USES[use](TYPED))
