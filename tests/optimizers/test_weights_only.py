"""Which leaves a penalty acts on, over the trees of the frameworks, with their true names."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx

from jaxtricks import optimizers
from jaxtricks.optimizers import mask_by_path, weights_only

VECTOR, MATRIX, STACK = jnp.ones(3), jnp.ones((3, 3)), jnp.ones((2, 3, 3))

# tree, and the names (any part of the path) of all that decays
TREES = {
    "haiku": (
        {
            "mlp/~/linear_0": {"w": MATRIX, "b": VECTOR},
            "layer_norm": {"scale": VECTOR, "offset": VECTOR},
            "conv2_d": {"w": STACK, "b": VECTOR},
            "embed": {"embeddings": MATRIX},
        },
        {"mlp/~/linear_0']['w", "conv2_d']['w", "embeddings"},
    ),
    "torch state dict": (
        {
            "layers.0.weight": MATRIX,
            "layers.0.bias": VECTOR,
            "layers.1.weight": VECTOR,  # a batch norm inside nn.Sequential
            "layers.1.bias": VECTOR,
            "attention.in_proj_weight": MATRIX,
            "attention.in_proj_bias": VECTOR,
            "attention.out_proj.weight": MATRIX,
            "norm.weight": VECTOR,
            "conv.weight_g": STACK,
            "conv.weight_v": STACK,
            "linear.parametrizations.weight.original0": MATRIX,
            "linear.parametrizations.weight.original1": MATRIX,
            "rnn.weight_ih_l0": MATRIX,
            "rnn.bias_ih_l0": VECTOR,
        },
        {
            "layers.0.weight",
            "in_proj_weight",
            "out_proj.weight",
            "weight_v",
            "original1",
            "weight_ih_l0",
        },
    ),
    "T5X": (
        {
            "decoder": {
                "layers_0": {
                    "pre_self_attention_layer_norm": {"scale": VECTOR},
                    "self_attention": {"query": {"kernel": MATRIX}, "out": {"kernel": MATRIX}},
                    "mlp": {"wi": {"kernel": MATRIX}, "wo": {"kernel": MATRIX}},
                },
                "decoder_norm": {"scale": VECTOR},
            },
            "token_embedder": {"embedding": MATRIX},
        },
        {"kernel", "embedding"},
    ),
    "layers stacked by scan": (
        {"Block": {"dense": {"kernel": STACK, "bias": MATRIX}, "norm": {"scale": MATRIX}}},
        {"kernel"},
    ),
    "stacked torch names": (
        {"block": {"linear": {"weight": STACK}, "layer_norm": {"weight": MATRIX}}},
        {"linear"},
    ),
    "Keras": (
        {
            "dense": {"kernel": MATRIX, "bias": VECTOR},
            "batch_normalization": {"gamma": VECTOR, "beta": VECTOR},
        },
        {"kernel"},
    ),
    "plain dicts": (
        {"w": VECTOR, "b": MATRIX, "w1": MATRIX, "b1": VECTOR, "biases": VECTOR, "t": jnp.ones(())},
        {"['w']", "w1"},
    ),
    "pairs": ([(MATRIX, VECTOR), (), (MATRIX, VECTOR)], {"[0][0]", "[2][0]"}),
}


@pytest.mark.parametrize("tree, decayed", TREES.values(), ids=TREES)
def test_weights_decay_and_nothing_else(tree, decayed):
    for path, chosen in mask_by_path(weights_only, tree).items():
        assert chosen == any(name in path for name in decayed), path


class EveryLayer(nn.Module):
    @nn.compact
    def __call__(self, tokens):
        x = nn.Embed(5, 4)(tokens)
        x = nn.MultiHeadDotProductAttention(2)(x)
        x = nn.WeightNorm(nn.Dense(4))(x)
        for norm in (nn.LayerNorm, nn.RMSNorm, partial(nn.GroupNorm, num_groups=2)):
            x = norm()(x)
        x = nn.BatchNorm(use_running_average=False)(x)
        return nn.PReLU()(nn.RNN(nn.LSTMCell(3))(x))


@pytest.mark.slow
def test_flax_linen():
    variables = jax.jit(EveryLayer().init)(jax.random.key(0), jnp.ones((1, 3), int))
    decays = mask_by_path(weights_only, variables["params"])
    assert len(decays) == 32 and sum(decays.values()) == 14
    for path, chosen in decays.items():
        assert chosen == path.endswith(("['kernel']", "['embedding']")), path


def test_flax_nnx_as_modules_of_both_kinds():
    class Net(nnx.Module):
        def __init__(self, rngs):
            self.dense = nnx.Linear(2, 3, rngs=rngs)
            self.norm = nnx.LayerNorm(3, rngs=rngs)
            self.embed = nnx.Embed(4, 3, rngs=rngs)

    decays = mask_by_path(weights_only, nnx.state(Net(nnx.Rngs(0)), nnx.Param))
    assert len(decays) == 5
    for path, chosen in decays.items():
        assert chosen == ("kernel" in path or "embedding" in path), path


@pytest.mark.slow
def test_equinox():
    eqx = pytest.importorskip("equinox")
    key = jax.random.key(0)

    class Net(eqx.Module):
        layers: list
        layer_norm: eqx.nn.LayerNorm
        attention: eqx.nn.MultiheadAttention

    net = Net(
        [eqx.nn.Linear(2, 3, key=key), eqx.nn.Conv2d(1, 2, 3, key=key), eqx.nn.GroupNorm(1, 2)],
        eqx.nn.LayerNorm((3, 4)),
        eqx.nn.MultiheadAttention(2, 4, key=key),
    )
    arrays = eqx.filter(net, eqx.is_inexact_array)
    decays = mask_by_path(weights_only, arrays)
    weights = {f".layers[{i}].weight" for i in (0, 1)}
    weights |= {f".attention.{name}_proj.weight" for name in ("query", "key", "value", "output")}
    assert {path for path, chosen in decays.items() if chosen} == weights
    tx = optimizers.add_l2(0.5, mask=weights_only)
    updates, _ = tx.update(jax.tree.map(jnp.zeros_like, arrays), tx.init(arrays), arrays)
    moved = [bool(jnp.any(leaf != 0)) for leaf in jax.tree.leaves(updates)]
    assert moved == list(decays.values())


def test_more_names_may_be_left_out():
    tree = {"embed": {"embedding": MATRIX}, "head": {"kernel": MATRIX}, "body": {"kernel": MATRIX}}
    mask = partial(weights_only, exclude=("embedding", "head"))
    decays = mask_by_path(mask, tree)
    assert [path for path, chosen in decays.items() if chosen] == ["['body']['kernel']"]
    tx = optimizers.add_decoupled_decay(0.5, mask=mask)
    updates, _ = tx.update(jax.tree.map(jnp.zeros_like, tree), tx.init(tree), tree)
    assert jnp.all(updates["head"]["kernel"] == 0) and jnp.all(updates["body"]["kernel"] == 0.5)
    with pytest.raises(TypeError, match="exclude must be a collection of names, got 'head'"):
        weights_only(tree, exclude="head")


def test_boxes_are_no_names_and_one_array_has_none():
    boxed = nn.Partitioned(MATRIX, names=(None, None))
    assert jax.tree.leaves(weights_only({"bias": boxed, "kernel": boxed})) == [False, True]
    with pytest.raises(ValueError, match="params must have named leaves"):
        weights_only(jnp.ones(2))
    injected = optax.inject_hyperparams(optimizers.add_l2)(0.1, mask=weights_only)
    with pytest.raises(ValueError, match="params must have named leaves"):
        injected.init({"kernel": MATRIX})
