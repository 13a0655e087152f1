"""Where a batch norm stands in a fully connected network, and the bias that it makes redundant."""

import chex
import jax
import jax.numpy as jnp
import pytest

from jaxtricks import models, probes
from tests.untyped import untyped

KEY = jax.random.key(0)
X = jax.random.normal(KEY, (40, 6))


def trained(net, params):
    return net.apply({"params": params}, X, train=True, mutable=["batch_stats"])[0]


def params_of(net):
    return net.init(KEY, X, train=False)["params"]


def test_behind_the_activation_the_next_layer_is_given_standardised_values():
    net = models.MLP((50, 3), batch_norm=True, batch_norm_position="after_activation")
    variables = net.init(KEY, X, train=False)
    given = probes.layer_values(net, variables, X, at="input", train=True)["Dense_1"]
    chex.assert_trees_all_close(given.mean(0), jnp.zeros(50), atol=1e-5)
    before = net.clone(batch_norm_position="before_activation")
    given = probes.layer_values(before, variables, X, at="input", train=True)["Dense_1"]
    assert float(given.min()) == 0 and float(given.mean()) > 0.3


def test_the_bias_before_a_batch_norm_changes_nothing_and_has_no_gradient():
    """E-118: the norm subtracts it. Behind the activation it counts, and is kept."""
    net = models.MLP((5, 3), batch_norm=True)
    lean = net.clone(redundant_bias=False)
    params = params_of(net)
    params["Dense_0"]["bias"] = jnp.arange(5.0)
    without = {**params, "Dense_0": {"kernel": params["Dense_0"]["kernel"]}}
    assert jax.tree.structure(params_of(lean)) == jax.tree.structure(without)
    chex.assert_trees_all_close(trained(net, params), trained(lean, without), atol=1e-5)
    gradient = jax.jit(jax.grad(lambda p: jnp.sum(jnp.sin(trained(net, p)))))(params)
    assert float(jnp.max(jnp.abs(gradient["Dense_0"]["bias"]))) < 1e-5
    assert float(jnp.max(jnp.abs(gradient["Dense_0"]["kernel"]))) > 1e-2
    behind = lean.clone(batch_norm_position="after_activation")
    assert set(params_of(behind)["Dense_0"]) == {"bias", "kernel"}


def test_bad_settings_are_named():
    with untyped():
        with pytest.raises(ValueError, match="batch_norm_position must be one of .* got 'inside'"):
            models.MLP((2,), batch_norm_position="inside")
        with pytest.raises(TypeError, match="redundant_bias must be a bool, got 0"):
            models.MLP((2,), redundant_bias=0)
