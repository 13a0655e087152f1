"""A random key is a leaf like any other: of an optimizer's state, a model's, an average, a trial's.

Each use gives a key, and the same key as the one that went through the library by hand.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import averaging, control, probes, surfaces, training
from jaxtricks.optimizers import base_point, lookahead_point

KEY = jax.random.key(7)
ROWS = {"x": np.ones((8, 2), np.float32)}
PARAMS = {"w": jnp.ones(2), "key": KEY}


def loss(params, model_state, batch, keys, *, train):
    key = jax.random.split(model_state["noise"]["key"], 1)[0]
    new = {"noise": {"key": key if train else model_state["noise"]["key"]}}
    return jnp.sum((params["w"][None] - batch["x"]) ** 2, -1), (new, {})


def fitted(tx):
    ours = training.trainer(loss, tx)
    state = ours.init({"params": {"w": jnp.zeros(2)}, "noise": {"key": KEY}})
    options = {"key": jax.random.key(1), "epochs": 2, "batch_size": 4, "progress": False}
    return training.fit(ours, state, ROWS, ROWS, **options).state


def split_times(key, times):
    for _ in range(times):
        key = jax.random.split(key, 1)[0]
    return key


def noisy():
    rule = optax.noisy_sgd(0.01, key=KEY)
    state = rule.init({"w": jnp.zeros(2)})
    for _ in range(4):
        _, state = rule.update({"w": jnp.ones(2)}, state)
    return tuple(optax.tree.get(s, "rng_key") for s in (fitted(rule).opt_state, state))


def model():
    return fitted(optax.sgd(0.01)).model_state["noise"]["key"], split_times(KEY, 4)


def population():
    keys = jax.random.split(KEY, 3)

    def run(key, own):
        del key
        return own["key"]

    return training.train_population(run, keys, {"key": keys}), keys


def snapshot():
    averager = averaging.snapshots(2, at=averaging.cycle_ends(1))
    kept, _ = averager.update(PARAMS, averager.init(PARAMS))
    return kept.params["key"][0], KEY


def best():
    rule = control.keep_best()
    _, state = rule.update(1.0, rule.init({**PARAMS, "key": jax.random.key(0)}), PARAMS)
    return state.best_variables["key"], KEY


@pytest.mark.slow
@pytest.mark.parametrize("use", [noisy, model, population, snapshot, best])
def test_a_key_goes_through_unchanged(use):
    got, want = use()
    chex.assert_trees_all_equal(*map(jax.random.key_data, (got, want)))


@pytest.mark.parametrize(
    "call",
    [
        lambda: lookahead_point(PARAMS, PARAMS, 0.5),
        lambda: base_point({"w": 1j * jnp.ones(2)}, {"w": jnp.ones(2)}, 0.5),
        lambda: surfaces.banana()(jax.random.split(KEY, 2)),
        lambda: probes.loss_slice(
            lambda p: p["w"], {"w": 1.0}, {"w": KEY}, {"w": 1.0}, jnp.array([0.0, 1.0])
        ),
    ],
)
def test_keys_and_complex_numbers_are_refused_where_they_would_be_added(call):
    with pytest.raises(TypeError, match="must be an array of numbers|complex leaves"):
        call()
