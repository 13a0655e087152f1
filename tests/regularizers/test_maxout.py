"""Maxout against the activations that it contains, and the activations against closed forms."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import regularizers
from tests.untyped import untyped

KEY = jax.random.key(0)


def drawn(layer, x):
    """Kernel and bias."""
    params = jax.jit(layer.init)(KEY, x)["params"]
    return jnp.asarray(params["kernel"]), jnp.asarray(params["bias"])


@pytest.mark.slow
@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_two_pieces_of_which_one_is_scaled_are_leaky_relu(slope):
    layer, x = regularizers.Maxout(4), jax.random.normal(KEY, (5, 7, 3))
    dense = jax.random.normal(jax.random.key(1), (3, 4))
    params = {"kernel": jnp.stack([dense, slope * dense], 1), "bias": jnp.zeros((2, 4))}
    got = layer.apply({"params": params}, x)
    chex.assert_trees_all_close(got, jax.nn.leaky_relu(x @ dense, slope), rtol=1e-5, atol=1e-6)


def test_one_piece_is_a_dense_layer_with_its_draws_statistics():
    layer, x = regularizers.Maxout(400, pieces=1), jnp.ones((1, 300))
    kernel, bias = drawn(layer, x)
    assert kernel.shape == (300, 1, 400) and bias.shape == (1, 400)
    np.testing.assert_allclose(kernel.var() * 300, 1, rtol=0.02)


@pytest.mark.slow
def test_pieces_are_drawn_apart_and_units_have_k_times_the_parameters():
    layer = regularizers.Maxout(4, pieces=3)
    kernel, _ = drawn(layer, jnp.ones((1, 5)))
    assert kernel.shape == (5, 3, 4)
    assert not jnp.allclose(kernel[:, 0], kernel[:, 1])


def test_it_is_convex_and_its_slope_is_that_of_the_winning_piece():
    layer = regularizers.Maxout(1, pieces=4)
    kernel, bias = drawn(layer, jnp.ones((1, 1)))

    def value(t):
        params = {"kernel": kernel, "bias": bias}
        return layer.apply({"params": params}, t.reshape(1, 1))[0, 0]

    both = jax.jit(jax.vmap(jax.value_and_grad(value)))
    values, slopes = jax.device_get(both(jnp.linspace(-3, 3, 61)))
    assert np.min(np.diff(values, 2)) > -1e-6
    slope_of_piece = np.asarray(kernel).ravel()
    assert all(np.min(np.abs(slope_of_piece - slope)) < 1e-6 for slope in slopes)


def test_bad_sizes_are_named():
    for name, value in (("features", 0), ("pieces", 0)):
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
            regularizers.Maxout(**{"features": 3, name: value})
    layer = regularizers.Maxout(3)
    for x in (jnp.ones(()), jnp.ones((2, 0))):
        with (
            untyped(),
            pytest.raises(ValueError, match=r"x must be \[..., inputs\], got the shape"),
        ):
            layer.init(jax.random.key(0), x)
    with untyped(), pytest.raises(TypeError, match="x must be a floating array, got"):
        layer.init(jax.random.key(0), jnp.ones((2, 3), int))
    with untyped(), pytest.raises(TypeError, match="kernel_init must be a function"):
        regularizers.Maxout(3, kernel_init="he")
