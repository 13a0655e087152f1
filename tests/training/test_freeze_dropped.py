"""From the layers' masks to parameters that stay: loss, trainer and rule together."""

import dataclasses
import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import models, optimizers, regularizers, training
from tests.training.nets import examples
from tests.untyped import untyped

KEY = jax.random.key(0)
WIDTH = 64
NET = models.MLP((WIDTH, 3), activation=nn.tanh, dropout_rates=0.5)
# the last example is padding; of the others, at a rate of 0.5, a quarter of the units sees none
BATCH = examples(3) | {"weight": np.array([1, 2, 0], np.float32)}
RULES = {
    "momentum": lambda: optimizers.momentum(0.01, decay=0.9),
    "nesterov and l2": lambda: optax.chain(
        optimizers.add_l2(0.1), optimizers.nesterov(0.01, decay=0.9)
    ),
    "adamw": lambda: optimizers.adamw(0.01, weight_decay=0.1),
}


def of_dropout(params, masks, weight):
    present = regularizers.present_units(masks["Dropout_0"], weight)
    units = {("Dense_0", "Dense_1"): present}
    return {"keep": optimizers.keep_present(params, units), "masks": masks}


def keep_masks():
    """A rule that leaves updates alone and has the masks that it was given as its state."""

    def update(updates, state, params=None, *, masks, **extra_args):
        return updates, masks["Dropout_0"]["keep"][0]

    return optax.GradientTransformationExtraArgs(lambda p: jnp.ones((3, WIDTH), bool), update)


def trainer_of(rule, *, freeze, **options):
    links = (optimizers.freeze_dropped(), keep_masks()) if freeze else (keep_masks(),)
    loss = training.classification_loss(NET, extra_args=of_dropout)
    return training.trainer(loss, optax.chain(RULES[rule](), *links), **options)


@functools.cache
def variables():
    init = jax.jit(functools.partial(NET.init, train=False))
    return init(KEY, jnp.zeros((1, 4, 3, 1)))


@functools.cache
def last_step(rule, freeze):
    """The parameters before and after the eighth step, and its masks."""
    trainer = trainer_of(rule, freeze=freeze)
    step, state = jax.jit(trainer.step), trainer.init(variables())
    for _ in range(8):
        before = state
        state, metrics = step(state, BATCH, KEY)
    assert "extra_args" not in metrics and state.model_state == {}
    return before.params, state.params, np.asarray(state.opt_state[-1])


def unchanged(before, after):
    """Of each unit, which numbers of its column, bias and row are the same."""
    same = jax.tree.map(lambda a, b: np.asarray(a) == np.asarray(b), before, after)
    first, second = same["Dense_0"], same["Dense_1"]
    return np.concatenate([first["kernel"], first["bias"][None], second["kernel"].T])


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_units_that_every_example_of_weight_dropped_stay_and_the_others_move(rule):
    before, after, masks = last_step(rule, True)
    dropped = ~masks[:2].any(axis=0)
    assert (dropped & masks[2]).any()  # the padding has them, and does not count
    assert 0 < dropped.sum() < WIDTH
    same = unchanged(before, after)
    assert same[:, dropped].all()
    assert same[:, ~dropped].mean() < 0.05 and not same[:, ~dropped].all(axis=0).any()
    assert not np.any(before["Dense_1"]["bias"] == after["Dense_1"]["bias"])


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_without_the_link_they_move(rule):
    """The control: the same masks, and none of their units stays as it was."""
    before, after, masks = last_step(rule, False)
    np.testing.assert_array_equal(masks, last_step(rule, True)[2])
    same = unchanged(before, after)[:, ~masks[:2].any(axis=0)]
    assert same.mean() < 0.05 and not same.all(axis=0).any()


@pytest.mark.slow
def test_two_devices_agree_about_what_was_dropped():
    """The mask is one of the whole batch: a unit stays if the examples on both dropped it."""
    trainer = trainer_of("adamw", freeze=True)
    rows = training.data_sharding(jax.devices()[:2])
    batch = examples(4) | {"weight": np.array([1, 0, 0, 2], np.float32)}
    tx_state = jnp.ones((4, WIDTH), bool)
    state = trainer.init(variables())
    state = dataclasses.replace(state, opt_state=(*state.opt_state[:-1], tx_state))
    alone, before = jax.jit(trainer.step), jax.device_get(state.params)
    divided = training.shard_step(trainer, rows)
    want, _ = alone(state, batch, KEY)
    got, _ = divided(jax.tree.map(jnp.copy, state), training.place_batch(batch, rows), KEY)
    chex.assert_trees_all_close(
        jax.device_get(got.params), jax.device_get(want.params), rtol=1e-4, atol=1e-5
    )
    dropped = ~np.asarray(got.opt_state[-1])[[0, 3]].any(axis=0)
    np.testing.assert_array_equal(unchanged(before, got.params).all(axis=0), dropped)
    assert 0 < dropped.sum() < WIDTH


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["host", "scan"])
def test_fit_hands_the_masks_on_and_does_not_keep_them(loop):
    """Batch norm's statistics stay in the state, and decay stops where units were dropped."""
    net = NET.clone(block=models.batch_norm_block)
    init = jax.jit(functools.partial(net.init, train=False))
    data, first = examples(6), init(KEY, jnp.zeros((1, 4, 3, 1)))
    settings = {"key": KEY, "epochs": 1, "batch_size": 3, "loop": loop, "progress": False}
    lengths = []
    for links in ((), (optimizers.freeze_dropped(),)):
        loss = training.classification_loss(net, extra_args=of_dropout)
        decay = optax.chain(optimizers.add_decoupled_decay(0.5), optimizers.gradient_descent(1.0))
        trainer = training.trainer(loss, optax.chain(optax.scale(0.0), decay, *links))
        result = training.fit(trainer, trainer.init(first), data, data, **settings)
        assert set(result.state.model_state) == {"batch_stats"}
        rows = result.state.params["Dense_1"]["kernel"] / first["params"]["Dense_1"]["kernel"]
        lengths.append(np.unique(rows).tolist())
    assert lengths == [[0.25], [0.25, 0.5, 1.0]]


@pytest.mark.slow
def test_a_batch_in_parts_is_refused():
    trainer = trainer_of("momentum", freeze=True, accumulate=3)
    with pytest.raises(ValueError, match="extra_args of the loss .* accumulate=1"):
        jax.eval_shape(trainer.step, trainer.init(variables()), BATCH, KEY)


@pytest.mark.slow
def test_evaluation_does_not_call_it_and_a_plain_function_may_have_masks():
    """A function gives them in its model state, from which they are taken out."""
    calls = []

    def apply(variables, images, *, train, rngs):
        scores = images.reshape(len(images), -1) @ variables["params"]
        return scores, {"seen": jnp.ones(()), "masks": "mine"} if train else {}

    def extra_args(params, masks, weight):
        calls.append((masks, weight.tolist()))
        return {"gain": 2}

    loss = training.classification_loss(apply, extra_args=extra_args)
    params = jnp.ones((12, 3))
    _, (state, metrics) = loss(params, {}, BATCH, {}, train=True)
    assert calls == [("mine", [1, 2, 0])] and metrics["extra_args"] == {"gain": 2}
    assert set(state) == {"seen"}
    _, (state, metrics) = loss(params, {}, BATCH, {}, train=False)
    assert len(calls) == 1 and "extra_args" not in metrics


def test_what_is_no_function_is_refused():
    with untyped(), pytest.raises(TypeError, match="extra_args must be a function, got 'keep'"):
        training.classification_loss(NET, extra_args="keep")  # pyrefly: ignore[bad-argument-type]
