"""The networks: parameters counted by hand, layer orders, compiled and mapped over keys."""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import models
from jaxtricks.normalization import BatchNorm
from tests.untyped import untyped

KEY = jax.random.key(0)
MNIST, CIFAR = jnp.ones((1, 28, 28, 1)), jnp.ones((1, 32, 32, 3))
DIGITS = jax.random.uniform(jax.random.key(1), (6, 8, 8, 1))

NETWORKS = {
    "S-ARC-01": models.tensorflow_mlp(),
    "S-ARC-02": models.pytorch_mlp(),
    "S-ARC-03": models.three_layer_net(20),
    "S-ARC-04": models.deep_mlp(3, width=12, block=models.batch_norm_block),
    "S-ARC-05": models.batch_norm_mlp(),
    "S-ARC-06": models.linear_model(),
    "small CNN": models.SmallCNN((4, 8), hidden=16, dropout_rate=0.5, batch_norm=True),
    "ResNet": models.ResNet(depth=8, width=2),
}


@functools.partial(jax.jit, static_argnames="net")
def initialised(net):
    return net.init(KEY, DIGITS, train=False)


@functools.partial(jax.jit, static_argnames="net")
def trained(net, variables):
    return net.apply(variables, DIGITS, train=True, rngs={"dropout": KEY})


@functools.partial(jax.jit, static_argnames="net")
def evaluated(net, variables, images=DIGITS):
    return net.apply(variables, images, train=False)


def parameters(net, images):
    shapes = jax.eval_shape(lambda: net.init(KEY, images, train=False))["params"]
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def dense(*sizes):
    return sum((a + 1) * b for a, b in zip(sizes, sizes[1:], strict=False))


@pytest.mark.parametrize(
    "net, images, count",
    [
        (models.tensorflow_mlp(), MNIST, 200960 + 32896 + 8256 + 2080 + 330),
        (models.pytorch_mlp(), MNIST, 157000 + 40200 + 2010),
        (models.three_layer_net(), MNIST, 78500 + 10100 + 1010),
        (models.deep_mlp(width=100), MNIST, 78500 + 9 * 10100 + 1010),
        (models.batch_norm_mlp(), MNIST, 78500 + 2 * 10100 + 1010 + 3 * 200),
        (models.batch_norm_mlp(block=models.dense_block), MNIST, 78500 + 2 * 10100 + 1010),
        (models.linear_model(), MNIST, 7850),
        (models.SmallCNN(), MNIST, 320 + 18496 + 401536 + 1290),
        (models.SmallCNN(batch_norm=True), CIFAR, 896 + 18496 + 524416 + 1290 + 2 * 32 + 2 * 64),
        (models.ResNet(20), CIFAR, 269722),
        (models.ResNet(56), CIFAR, 853018),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_parameters_are_as_many_as_counted_by_hand(net, images, count):
    assert parameters(net, images) == count


@pytest.mark.slow
@pytest.mark.parametrize("net", NETWORKS.values(), ids=NETWORKS)
def test_networks_compile_map_over_keys_and_are_deterministic_in_evaluation(net):
    @jax.jit
    @jax.vmap
    def run(params_key, mask_key):
        variables = net.init(params_key, DIGITS, train=False)
        rngs = {"dropout": mask_key}
        trained, updated = net.apply(
            variables, DIGITS, train=True, rngs=rngs, mutable=["batch_stats"]
        )
        return net.apply(variables, DIGITS, train=False, rngs=rngs), trained, updated

    one, other = jax.random.split(KEY)
    evaluated, trained, updated = run(jnp.stack([one, one, other]), jnp.stack([one, other, one]))
    chex.assert_shape((evaluated, trained), (3, 6, 10))
    chex.assert_tree_all_finite((evaluated, trained, updated))
    chex.assert_trees_all_equal(evaluated[0], evaluated[1])
    assert jnp.any(evaluated[0] != evaluated[2])
    draws = getattr(net, "dropout_rates", getattr(net, "dropout_rate", 0.0)) != 0.0
    assert bool(jnp.any(trained[0] != trained[1])) is draws
    normalises = "batch_stats" in updated
    assert bool(jnp.any(trained != evaluated)) is (draws or normalises)


@pytest.mark.parametrize("net", NETWORKS.values(), ids=NETWORKS)
def test_train_has_no_default(net):
    with pytest.raises(TypeError, match="train"):
        net.init(KEY, DIGITS)


def test_networks_can_be_static_arguments():
    for net in (
        models.MLP([4, 2], dropout_rates=[0.5]),
        models.SmallCNN([4]),
        models.Sequential([models.MLP([2])]),
    ):
        assert hash(net) == hash(net.clone())


def test_images_and_their_rows_give_the_same_logits():
    net = models.three_layer_net(5)
    variables, rows = initialised(net), DIGITS.reshape(6, 64)
    chex.assert_trees_all_equal(evaluated(net, variables), evaluated(net, variables, rows))


@pytest.mark.slow
def test_batch_norm_stands_before_the_activation():
    net = models.batch_norm_mlp()
    variables = initialised(net)
    seen = jax.jit(
        lambda v: net.apply(v, DIGITS, train=True, mutable=True, capture_intermediates=True)[1]
    )(variables)
    normalised = seen["intermediates"]["BatchNorm_0"]["__call__"][0]
    chex.assert_trees_all_close(normalised.mean(0), jnp.zeros(100), atol=1e-5)
    second = seen["intermediates"]["Dense_1"]["__call__"][0]
    layer = variables["params"]["Dense_1"]
    want = nn.sigmoid(normalised) @ layer["kernel"] + layer["bias"][None]
    chex.assert_trees_all_close(second, want, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_the_deep_network_starts_from_a_deviation_of_a_hundredth_and_loses_the_signal():
    net = models.deep_mlp(10, width=100)
    variables = initialised(net)
    assert abs(np.std(variables["params"]["Dense_5"]["kernel"]) - 0.01) < 0.0005
    assert np.abs(evaluated(net, variables)).max() < 1e-9


@pytest.mark.slow
def test_dropout_rates_may_be_mapped():
    variables = initialised(models.MLP((16, 10)))

    @jax.jit
    @jax.vmap
    def run(rate):
        net = models.MLP((16, 10), dropout_rates=rate)
        return net.apply(variables, DIGITS, train=True, rngs={"dropout": KEY})

    want = [trained(models.MLP((16, 10), dropout_rates=rate), variables) for rate in (0.0, 0.5)]
    got = run(jnp.array([0.0, 0.5]))
    chex.assert_trees_all_close(got, np.stack(want), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_both_algorithms_of_convolution_give_the_same_logits_and_gradients():
    net = models.SmallCNN((2, 3), hidden=4)
    variables = initialised(net)

    def loss(variables, algorithm):
        logits = net.clone(algorithm=algorithm).apply(variables, DIGITS, train=True)
        return jnp.sum(jnp.sin(logits)), logits

    run = jax.grad(loss, has_aux=True)
    got, want = jax.jit(lambda v: (run(v, "patches"), run(v, "native")))(variables)
    chex.assert_trees_all_close(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_without_its_branches_a_residual_network_is_its_shortcuts():
    net = models.ResNet(depth=8, width=2)
    variables = initialised(net)
    params = variables["params"]
    for branch in (2, 4, 6):
        scale = params[f"BatchNorm_{branch}"]["scale"]
        params[f"BatchNorm_{branch}"]["scale"] = np.zeros_like(scale)
    convolve = jax.jit(models.Conv(2, use_bias=False).apply)
    stem = np.maximum(convolve({"params": params["Conv_0"]}, DIGITS) / np.sqrt(1 + 1e-5), 0)
    left = np.mean(stem[:, ::4, ::4], (1, 2))
    kernel = np.asarray(params["Dense_0"]["kernel"])
    assert kernel.shape == (8, 10)
    want = left @ kernel[3:5]  # one channel of zeros in front of them at first, then two more
    chex.assert_trees_all_close(evaluated(net, variables), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: models.MLP(()), "features must not be empty"),
        (lambda: models.MLP((3, 0, 2)), r"features\[1\] must be at least 1, got 0"),
        (lambda: models.MLP((3, -1)), r"features\[1\] must be at least 1, got -1"),
        (
            lambda: models.MLP((3, 3, 2), dropout_rates=(0.5,)),
            "dropout_rates must be one rate, or .* 2 .*, got 1",
        ),
        (lambda: models.MLP((3, 2), dropout_rates=1.5), "dropout_rates must be in .* got 1.5"),
        (lambda: models.tensorflow_mlp(-0.5), "dropout_rate must be in .* got -0.5"),
        (lambda: models.tensorflow_mlp(classes=0), r"classes must be at least 1, got 0"),
        (lambda: models.deep_mlp(0), "depth must be at least 1, got 0"),
        (lambda: models.SmallCNN(()), "features must not be empty"),
        (lambda: models.SmallCNN((0,)), r"features\[0\] must be at least 1, got 0"),
        (lambda: models.SmallCNN(dropout_rate=2.0), "dropout_rate must be in .* got 2.0"),
        (lambda: models.ResNet(depth=18), "depth must be 6n . 2 .* got 18"),
        (lambda: models.ResNet(depth=2), "depth must be 6n . 2 .* got 2"),
        (lambda: models.ResNet(width=0), "width must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make, flag",
    [
        (lambda: models.SmallCNN(batch_norm=None), "batch_norm"),
        (lambda: models.Conv(2, use_bias="no"), "use_bias"),
        (lambda: BatchNorm(unbiased_running_var=1), "unbiased_running_var"),
        (lambda: BatchNorm(use_scale=1), "use_scale"),
        (lambda: BatchNorm(use_bias=1), "use_bias"),
    ],
)
def test_flags_must_be_bools(make, flag):
    with untyped(), pytest.raises(TypeError, match=f"{flag} must be a bool, got"):
        make()


def test_an_activation_is_a_function_not_a_name():
    with untyped(), pytest.raises(TypeError, match="activation must be a function, got 'relu'"):
        models.MLP((8, 3), activation="relu")


@pytest.mark.parametrize("net", NETWORKS.values(), ids=NETWORKS)
def test_images_of_the_wrong_rank_or_type_are_refused(net):
    with pytest.raises(ValueError, match=r"images must be .* got the shape \(8, 8, 1\)"):
        net.init(KEY, DIGITS[0], train=False)
    with pytest.raises(TypeError, match="images must be a floating array, got"):
        net.init(KEY, (255 * DIGITS).astype(jnp.uint8), train=False)


def test_a_small_cnn_needs_images_that_it_can_halve():
    with pytest.raises(
        ValueError, match=r"images must be 16x16 or larger, got the shape \(6, 8, 8, 1\)"
    ):
        models.SmallCNN((4, 4, 4, 4)).init(KEY, DIGITS, train=False)
