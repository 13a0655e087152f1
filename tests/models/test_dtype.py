"""Models that compute in bfloat16: every activation is, parameters and gradients are not."""

import functools
import re

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import data, models, training
from jaxtricks.normalization import BatchNorm
from jaxtricks.regularizers import DropConnectConv, DropConnectDense, Maxout

PRODUCT = re.compile(r":(\w+)\[[^\]]*\] = (?:dot_general|conv_general_dilated)")
KEY, NARROW = jax.random.key(0), jnp.bfloat16
IMAGES = jax.random.uniform(KEY, (8, 8, 8, 1))
NETWORKS = {
    "MLP": models.MLP((8, 6, 3), nn.tanh, 0.5),
    "MLP with batch norm": models.MLP((8, 6, 3), block=models.batch_norm_block),
    "SmallCNN": models.SmallCNN((2, 4), 8, 3, dropout_rate=0.5, batch_norm=True),
    "SmallCNN native": models.SmallCNN((2, 4), 8, 3, algorithm="native"),
    "ResNet": models.ResNet(8, width=2, classes=3),
}
NAMED = [
    models.tensorflow_mlp,
    models.pytorch_mlp,
    models.three_layer_net,
    models.deep_mlp,
    models.batch_norm_mlp,
    models.linear_model,
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_activations_and_products_are_narrow_and_variables_and_gradients_are_not(name):
    net = NETWORKS[name].clone(dtype=NARROW)
    variables = jax.eval_shape(functools.partial(net.init, train=False), KEY, IMAGES)

    def loss(params, rest, x):
        y, seen = net.apply(
            {"params": params, **rest},
            x,
            train=True,
            rngs={"dropout": KEY},
            mutable=["batch_stats", "intermediates"],
            capture_intermediates=True,
        )
        return jnp.sum(y.astype(jnp.float32)), seen

    params, rest = variables.pop("params"), variables
    with jax.numpy_dtype_promotion("strict"):
        program, shapes = jax.make_jaxpr(jax.grad(loss, has_aux=True), return_shape=True)(
            params, rest, IMAGES
        )
    gradients, seen = shapes
    inner = jax.tree.leaves(seen.pop("intermediates"))
    assert len(inner) > 3 and {leaf.dtype for leaf in inner} == {jnp.dtype(NARROW)}
    assert set(PRODUCT.findall(str(program))) == {"bf16"}
    single = jax.tree.leaves((params, rest, gradients, seen))
    assert {leaf.dtype for leaf in single} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize("make", NAMED, ids=lambda make: make.__name__)
def test_named_networks_hand_their_dtype_on(make):
    assert make(dtype=NARROW).dtype == NARROW
    assert make().dtype is None


@pytest.mark.slow
@pytest.mark.parametrize("block", [models.dense_block, models.batch_norm_block])
def test_digits_are_learnt_as_well_as_in_single_precision(block):
    """Of five starts the accuracies were at most 0.007 apart, which is one of the 144 images."""
    digits, batch, steps = data.load("digits"), 64, 80
    train, validation = digits.train, digits.validation
    orders = [data.epoch_order(jax.random.key(i), len(train["label"]), batch) for i in range(4)]
    indices = jnp.concatenate([order.indices for order in orders])[:steps]
    order = data.Order(indices, jnp.ones(indices.shape))

    def accuracy(dtype):
        net = models.MLP((32, 10), block=block, dtype=dtype)
        ours = training.trainer(training.classification_loss(net), optax.adam(1e-2))
        state = ours.init(net.init(KEY, jnp.zeros((1, 8, 8, 1)), train=False))
        state, _ = jax.jit(functools.partial(training.train_epoch, ours))(
            state, train, order, key=KEY
        )
        leaves = jax.tree.leaves(ours.variables(state))
        assert {leaf.dtype for leaf in leaves} == {jnp.dtype(jnp.float32)}
        return training.evaluate(ours, ours.variables(state), validation, 64)["accuracy"]

    narrow, single = accuracy(NARROW), accuracy(None)
    assert single > 0.9 and narrow > single - 0.03


TAKE_TRAIN = (BatchNorm, DropConnectConv, DropConnectDense)
LAYERS = [
    models.Conv(2),
    models.Conv(2, algorithm="native"),
    Maxout(2),
    DropConnectDense(2),
    DropConnectConv(2),
    BatchNorm(),
]


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_the_numbers_of_a_dtype_are_those_of_single_precision_rounded(layer):
    """2 ** -8 is the rounding of bfloat16; a sum of 9 products rounds a few times."""
    variables = jax.jit(lambda: layer.init(KEY, IMAGES, **mode(layer)))()
    want = layer.apply(variables, IMAGES, **mode(layer))
    got = layer.clone(dtype=NARROW).apply(variables, IMAGES, **mode(layer))
    scale = float(np.max(np.abs(want)))
    error = float(np.max(np.abs(np.asarray(got, np.float64) - np.asarray(want, np.float64))))
    assert 0 < error < 4 * 2**-8 * scale


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_without_a_dtype_the_output_has_that_of_the_input(layer):
    variables = jax.jit(lambda: layer.init(KEY, IMAGES, **mode(layer)))()
    got = layer.apply(variables, IMAGES.astype(jnp.float16), **mode(layer))
    assert got.dtype == jnp.float16


def mode(layer):
    return {"train": False} if isinstance(layer, TAKE_TRAIN) else {}


@pytest.mark.slow
def test_statistics_are_single_precision_even_if_the_batch_is_told_apart_by_a_thousandth():
    """Values of 1 and 1.001 are one number in bfloat16, and their deviation is kept."""
    x = jnp.tile(jnp.array([[1.0], [1.001]]), (4, 1))
    layer = BatchNorm(decay=0.0, eps=0.0, dtype=NARROW)
    variables = layer.init(KEY, x, train=False)
    y, updated = layer.apply(variables, x, train=True, mutable=["batch_stats"])
    variance = jnp.asarray(updated["batch_stats"]["var"])
    chex.assert_trees_all_close(variance, jnp.array([0.0005**2]), rtol=1e-3)
    assert y.dtype == NARROW and y[:2, 0].tolist() == [-1.0, 1.0]
