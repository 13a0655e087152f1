"""Layers that are frozen, and layers that go slower."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
import pytest

from jaxtricks import optimizers
from tests.untyped import untyped

PARAMS = {
    "Dense_0": {"kernel": jnp.array([1.0, -2.0]), "bias": jnp.array(0.5)},
    "Dense_1": {"kernel": jnp.array([3.0]), "bias": jnp.array(-1.0)},
}


def train(tx, params, steps=5):
    state = tx.init(params)
    for _ in range(steps):
        updates, state = tx.update(jax.tree.map(jnp.cos, params), state, params)
        params = optax.apply_updates(params, updates)
    return params


@pytest.mark.slow
@pytest.mark.parametrize(
    "mask",
    [
        {"Dense_0": True, "Dense_1": False},
        lambda tree: {name: name == "Dense_0" for name in tree},
    ],
    ids=["prefix", "function"],
)
def test_frozen_layers_do_not_move_and_the_others_do_not_notice(mask):
    rule = optax.chain(
        optax.clip_by_global_norm(0.1), optimizers.add_l2(0.1), optimizers.momentum(0.1)
    )
    got = train(optimizers.freeze(rule, mask), PARAMS)
    chex.assert_trees_all_equal(got["Dense_0"], PARAMS["Dense_0"])
    alone = train(rule, {"Dense_1": PARAMS["Dense_1"]})
    chex.assert_trees_all_equal(got["Dense_1"], alone["Dense_1"])
    assert jnp.all(got["Dense_1"]["kernel"] != PARAMS["Dense_1"]["kernel"])


# torch.nn.utils.clip_grad_norm_(1.0) and SGD(lr=0.5, momentum=0.9, weight_decay=0.1) by PyTorch,
# three steps, the gradient (1, 0) of `head` each time, the `body` with requires_grad=False
PYTORCH_HEAD = [[0.4500005, 0.95], [-0.5674986, 0.8575], [-1.9548723, 0.731375]]


@pytest.mark.parametrize("frozen", [50.0, jnp.nan, jnp.inf])
def test_frozen_gradients_have_no_part_in_clipping_as_in_pytorch(frozen):
    tx = optimizers.freeze(
        optax.chain(
            optax.clip_by_global_norm(1.0),
            optimizers.add_l2(0.1),
            optimizers.momentum(0.5, decay=0.9),
        ),
        {"body": True, "head": False},
    )
    params = {"body": jnp.ones(2), "head": jnp.ones(2)}
    grads = {"body": jnp.full(2, frozen), "head": jnp.array([1.0, 0.0])}
    state, step = tx.init(params), jax.jit(tx.update)
    for want in PYTORCH_HEAD:
        updates, state = step(grads, state, params)
        params = optax.apply_updates(params, updates)
        chex.assert_trees_all_equal(params["body"], jnp.ones(2))
        chex.assert_trees_all_close(params["head"], jnp.array(want), rtol=1e-5)


def test_frozen_parameters_have_no_state_and_may_be_integers():
    tx = optimizers.freeze(optimizers.adam(0.1), {"table": True, "head": False})
    params = {"table": jnp.arange(3), "head": jnp.ones(2)}
    state = tx.init(params)
    assert {leaf.shape for leaf in jax.tree.leaves(state)} == {(), (2,)}
    updates, _ = tx.update(params, state, params)
    chex.assert_trees_all_equal(optax.apply_updates(params, updates)["table"], jnp.arange(3))
    with untyped(), pytest.raises(TypeError, match="tx must be a GradientTransformation, got"):
        optimizers.freeze({"table": True}, None)  # pyrefly: ignore[bad-argument-type]


@pytest.mark.parametrize("wrapped", [False, True])
def test_layers_are_in_natural_order(wrapped):
    """Twelve layers of a Flax model: `layers_10` comes after `layers_2`."""
    model = nn.Sequential([nn.Dense(2) for _ in range(12)])
    variables = model.init(jax.random.key(0), jnp.ones((1, 2)))
    depth = optimizers.layer_depth(variables if wrapped else variables["params"])
    depth = depth["params"] if wrapped else depth
    for i in range(12):
        assert depth[f"layers_{i}"] == {"kernel": 11 - i, "bias": 11 - i}


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 2.0])
def test_each_layer_is_scaled_by_its_power(factor):
    params = {f"Dense_{i}": {"kernel": jnp.full(2, 3.0)} for i in (10, 9, 2)}
    tx = optimizers.scale_by_depth(factor)
    updates, _ = tx.update(params, tx.init(params))
    for power, name in enumerate(("Dense_10", "Dense_9", "Dense_2")):
        chex.assert_trees_all_close(updates[name]["kernel"], jnp.full(2, 3 * factor**power))


@pytest.mark.parametrize(
    "depth, slope", [(0, 0.0), (0.0, 0.0), (0.5, 0.0), (1, 3.0), (1.0, 3.0), (1.5, 0.0), (2, 0.0)]
)
def test_slope_in_the_factor_at_0(depth, slope):
    """That of u f^d; where it is infinite, at d = 1/2, it is taken as 0."""

    def step(factor):
        tx = optimizers.scale_by_depth(factor, depth=depth)
        return tx.update(jnp.array(3.0), tx.init(0.0))[0]

    got, found = jax.value_and_grad(step)(0.0)
    assert got == (3.0 if depth == 0 else 0.0) and found == slope


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
def test_factor_0_freezes_whatever_the_gradient_is(bad):
    tx = optimizers.scale_by_depth(0.0)
    updates, _ = tx.update({"a": jnp.array([bad, 1.0]), "b": jnp.ones(2)}, tx.init(0.0))
    chex.assert_trees_all_equal(updates, {"a": jnp.zeros(2), "b": jnp.ones(2)})


def test_depths_can_be_written_down():
    tree = {"BatchNorm_0": 1, "Conv_0": 1.5, "Dense_0": 0}
    params = {name: {"kernel": jnp.ones(2)} for name in tree}
    tx = optimizers.scale_by_depth(0.25, depth=tree)
    updates, _ = tx.update(params, tx.init(params))
    want = {"BatchNorm_0": 0.25, "Conv_0": 0.125, "Dense_0": 1.0}
    want = {name: {"kernel": jnp.full(2, value)} for name, value in want.items()}
    chex.assert_trees_all_equal(updates, want)


def test_refusals():
    with pytest.raises(TypeError, match="params must map names of layers"):
        optimizers.layer_depth([jnp.ones(2)])
    with pytest.raises(ValueError, match="factor must be in .* got -1"):
        optimizers.scale_by_depth(-1.0)
    tx = optimizers.scale_by_depth(0.5, depth={"Dense_0": 1})
    with pytest.raises(ValueError, match="depth must be a prefix of the parameters' tree"):
        tx.update(PARAMS, tx.init(PARAMS))


@pytest.mark.parametrize(
    "depth, error, message",
    [
        ({"Dense_0": -1, "Dense_1": 0}, ValueError, r"depth\['Dense_0'\] must be in .* got -1"),
        ({"Dense_0": "first"}, TypeError, r"depth\['Dense_0'\] must be a real scalar, got 'first'"),
        (jnp.ones(2), TypeError, "depth must be a real scalar, got"),
        (True, TypeError, "depth must be a real scalar, got True"),
        (float("nan"), ValueError, "depth must be in .* got nan"),
    ],
)
def test_bad_depths_are_refused_when_they_are_written_down_and_when_computed(depth, error, message):
    with pytest.raises(error, match=message):
        optimizers.scale_by_depth(0.5, depth=depth)
    tx = optimizers.scale_by_depth(0.5, depth=lambda updates: depth)
    with pytest.raises(error, match=message):
        tx.update(PARAMS, tx.init(PARAMS))
