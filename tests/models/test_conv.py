"""Both algorithms of the convolution against Flax's, and the poolings against Flax's."""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from jaxtricks.models import Conv, average_pool, batch_norm_mlp, max_pool
from tests.untyped import untyped

KEY = jax.random.key(0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape, kernel_size, strides",
    [((7, 8), (3, 3), 2), ((6, 9), (2, 5), (3, 1)), ((5, 6), (1, 1), 2), ((2, 1), (4, 3), 1)],
)
def test_both_algorithms_equal_flax_in_numbers_and_gradients(shape, kernel_size, strides):
    x = jax.random.normal(KEY, (2, *shape, 3))
    flax = nn.Conv(4, kernel_size, strides)

    def output_and_gradient(layer):
        def loss(variables, x):
            y = layer.apply(variables, x)
            return jnp.sum(jnp.sin(y)), y

        return jax.grad(loss, (0, 1), has_aux=True)

    patches, native = (Conv(4, kernel_size, strides, algorithm=f) for f in ("patches", "native"))
    layers = (patches, native, flax)
    init = jax.jit(lambda x: [layer.init(KEY, x) for layer in (patches, flax)])
    own, variables = init(x)
    run = jax.jit(lambda *given: [output_and_gradient(layer)(*given) for layer in layers])
    *ours, want = run(variables, x)
    for got in ours:
        chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-5)
    chex.assert_trees_all_equal(own, variables)


def test_patches_are_the_default_on_a_cpu():
    x = jnp.ones((1, 4, 4, 1))
    variables = Conv(1).init(KEY, x)
    text = str(jax.make_jaxpr(Conv(1).apply)(variables, x))
    assert "dot_general" in text and "conv_general_dilated" not in text
    text = str(jax.make_jaxpr(Conv(1, algorithm="native").apply)(variables, x))
    assert "conv_general_dilated" in text


@pytest.mark.parametrize("algorithm", ["patches", "native"])
def test_half_precision_images_meet_single_precision_weights(algorithm):
    conv = Conv(1, algorithm=algorithm, kernel_init=nn.initializers.ones)
    x = jnp.ones((1, 4, 4, 1), jnp.bfloat16)
    y = jnp.asarray(conv.apply(conv.init(KEY, x), x))
    assert y.dtype == jnp.bfloat16 and y[0, 1, 1, 0] == 9


def test_without_a_bias_there_is_none():
    assert set(Conv(1, use_bias=False).init(KEY, jnp.ones((1, 4, 4, 1)))["params"]) == {"kernel"}


@pytest.mark.slow
@pytest.mark.parametrize("ours, theirs", [(max_pool, nn.max_pool), (average_pool, nn.avg_pool)])
@pytest.mark.parametrize("size", [2, 3])
def test_pooling_equals_flax_in_numbers_and_gradients(ours, theirs, size):
    x = jax.random.normal(KEY, (2, 7, 6, 3))

    def output_and_gradient(pool):
        def loss(x):
            y = pool(x)
            return jnp.sum(jnp.sin(y)), y

        return jax.grad(loss, has_aux=True)

    @jax.jit
    def run(x):
        window = (size, size)
        ours_of_size = functools.partial(ours, size=size)
        theirs_of_size = functools.partial(theirs, window_shape=window, strides=window)
        return output_and_gradient(ours_of_size)(x), output_and_gradient(theirs_of_size)(x)

    got, want = run(x)
    chex.assert_trees_all_close(got, want, rtol=1e-6, atol=1e-6)


def test_equal_values_share_the_gradient_of_a_maximum():
    gradient = jax.grad(lambda x: jnp.sum(max_pool(x)))(jnp.ones((1, 2, 2, 1)))
    assert gradient.sum() == 1 and gradient.min() > 0


def test_bad_input_is_named():
    for arguments in ({"features": 0}, {"features": 1, "strides": 0}):
        with pytest.raises(ValueError, match="(features|strides) must be at least 1, got 0"):
            Conv(**arguments)
    for make in (functools.partial(Conv, 3), batch_norm_mlp):
        with untyped(), pytest.raises(TypeError, match="kernel_init must be a function, got 'he'"):
            make(kernel_init="he")
    with pytest.raises(ValueError, match="kernel_size must be at least 1, got -3"):
        Conv(1, (3, -3))
    with pytest.raises(ValueError, match="size must be at most 3, the image size, got 4"):
        max_pool(jnp.ones((1, 3, 5, 1)), size=4)
