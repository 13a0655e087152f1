"""DropConnect's moments against 10^5 networks and all masks, and its Gaussian inference."""

import functools
import itertools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks.regularizers import (
    DropConnectDense,
    drop_connect,
    drop_connect_conv,
    drop_connect_conv_moments,
    drop_connect_moments,
    mean_activation,
)

KEY, OTHER = jax.random.key(0), jax.random.key(1)
RATES = np.array([0.01, 0.1, 0.5, 0.9, 0.99], np.float32)
X = jax.random.normal(KEY, (2, 6))
KERNEL = jax.random.normal(OTHER, (6, 3))
IMAGES = jax.random.normal(KEY, (1, 2, 2, 2))
NETWORKS = 100_000
CONV_KERNEL = jax.random.normal(OTHER, (3, 2, 2, 3))


@jax.jit
def sampled(rate):
    """Outputs of sampled networks: dense, with a mask for each example, and convolutional.

    Networks are columns of one wide layer, because masks of columns are independent.
    """
    wide = drop_connect(KEY, X, jnp.tile(KERNEL, (1, NETWORKS)), rate)
    examples = jnp.broadcast_to(X, (4000, *X.shape))
    each = drop_connect(KEY, examples, KERNEL, rate, per_example=True)
    conv = drop_connect_conv(KEY, IMAGES, jnp.tile(CONV_KERNEL, (1, 1, 1, NETWORKS)), rate)
    return by_network(wide), each, by_network(conv)


def by_network(wide):
    """The outputs of wide layers, the networks first."""
    return jnp.moveaxis(wide.reshape(*wide.shape[:-1], -1, 3), -2, 0)


@pytest.mark.slow
def test_mean_and_variance_are_those_of_100_000_networks():
    """And the mean is the output of the weights as they are, which evaluation uses."""
    full = X @ KERNEL, X @ KERNEL, nn.Conv(3, (3, 2), use_bias=False).apply(
        {"params": {"kernel": CONV_KERNEL}}, IMAGES
    )  # fmt: skip
    for rate in RATES:
        outputs = jax.device_get(sampled(rate))
        assert outputs[0].shape == (NETWORKS, 2, 3) and outputs[2].shape == (NETWORKS, 1, 2, 2, 3)
        dense = drop_connect_moments(X, KERNEL, rate)
        conv = drop_connect_conv_moments(IMAGES, CONV_KERNEL, rate)
        for found, told, mean in zip(outputs, (dense, dense, conv), full, strict=True):
            chex.assert_trees_all_close(told[0], mean, rtol=1e-4, atol=1e-5)
            agree(np.asarray(found, np.float64), *map(np.asarray, told))


def agree(outputs, mean, variance):
    """Within 5 standard errors, the variance's by the fourth moment."""
    n, from_mean = len(outputs), outputs - mean
    error = np.sqrt(variance / n) + 1e-6
    assert np.max(np.abs(from_mean.mean(0)) / error) < 5
    squares = from_mean**2
    assert np.max(np.abs(squares.mean(0) - variance) / (squares.std(0) / n**0.5 + 1e-6)) < 5


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.9, 1.0])
def test_moments_are_exact_over_all_masks_divided_or_not(rate):
    """The paper's masks do not divide: of the weights W they have the moments of ours for q W."""
    masks = np.array(list(itertools.product([0.0, 1.0], repeat=6)))
    q = np.round((1 - np.float64(rate)) * 2**16) / 2**16  # as it is drawn
    chance = np.prod(np.where(masks == 1, q, 1 - q), axis=1)[:, None]
    x, kernel = np.asarray(X[0], np.float64), np.asarray(KERNEL[:, 0], np.float64)
    undivided = masks @ (x * kernel)
    for outputs, weights in ((undivided / (q or 1), kernel), (undivided, q * kernel)):
        mean = chance[:, 0] @ outputs
        variance = chance[:, 0] @ (outputs - mean) ** 2
        got = drop_connect_moments(X[0], jnp.asarray(weights[:, None], jnp.float32), rate)
        np.testing.assert_allclose(got, [[mean], [variance]], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_the_mean_of_relu_of_normal_units_has_its_closed_form():
    mean, deviation = jnp.linspace(-2, 2, 9), jnp.array([[0.0], [0.5], [3.0]])
    mean, deviation = jnp.broadcast_arrays(mean[None], deviation)
    run = jax.jit(lambda key: mean_activation(key, mean, deviation**2, nn.relu, samples=20_000))
    got, z = np.asarray(run(KEY)), np.asarray(mean / jnp.maximum(deviation, 1e-6))
    tail = np.asarray(jax.scipy.stats.norm.cdf(z))
    density = np.asarray(jax.scipy.stats.norm.pdf(z))
    want = np.asarray(mean) * tail + np.asarray(deviation) * density
    assert np.max(np.abs(got - want) - 5 * np.asarray(deviation) / 20_000**0.5) < 1e-5


@pytest.mark.slow
def test_gaussian_inference_is_the_mean_activation_over_masks_where_inputs_are_many():
    """Within 0.01 deviations of a unit and sampling error, and the mean weights are far off."""
    inputs, units, networks = 256, 3, 10_000
    x = jax.random.uniform(KEY, (1, inputs))
    kernel = jax.random.normal(OTHER, (inputs, units))
    bias = -jnp.sum(x @ kernel, 0)  # the means of all units are 0
    params = {"kernel": jnp.tile(kernel, (1, networks)), "bias": jnp.tile(bias, networks)}
    settings = {"activation": nn.relu, "inference": "gaussian", "samples": 10}
    layer = DropConnectDense(units * networks, 0.8, **settings)

    @functools.partial(jax.jit, static_argnames="train")
    def mean(params, train):
        y = layer.apply({"params": params}, x, train=train, rngs={"dropout": KEY})
        return jnp.mean(by_network(y), 0)

    over_masks, normal = (np.asarray(mean(params, train)) for train in (True, False))
    deviation = np.sqrt(4 * np.asarray(x) ** 2 @ np.asarray(kernel) ** 2)  # 0.8 over 0.2
    assert np.max(np.abs(over_masks - normal) / deviation) < 0.01 + 5 * 0.6 * networks**-0.5
    params = {"kernel": kernel, "bias": bias}
    weights = DropConnectDense(units, 0.8, activation=nn.relu)
    of_mean = np.asarray(weights.apply({"params": params}, x, train=False))
    assert np.min(np.abs(over_masks - of_mean) / deviation) > 0.35
