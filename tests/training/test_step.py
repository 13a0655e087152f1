"""The step against closed forms: weights, parts, penalties, keys, and what it reports."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

from jaxtricks import optimizers, schedules, training
from tests.untyped import untyped


def squared(params, model_state, batch, keys, *, train):
    """Halved squares, so that the gradient is the mean error."""
    errors = params["w"] - batch["x"]
    return errors**2 / 2, (model_state, {"error": errors})


def noisy(params, model_state, batch, keys, *, train):
    noise = jax.random.normal(keys["dropout"], batch["x"].shape)
    return params["w"] * noise, ({"seen": model_state["seen"] + 1}, {"noise": noise})


BATCH = {"x": jnp.array([1.0, 2.0, 3.0, 10.0]), "weight": jnp.array([1.0, 2.0, 1.0, 0.0])}
MEAN = 2.0
KEY = jax.random.key(0)


def start(tx, model_state=None):
    return training.init_state({"w": jnp.zeros(())}, tx, model_state)


@pytest.mark.parametrize("accumulate", [1, 2, 4])
def test_weighted_mean_has_a_closed_form_whatever_the_number_of_parts(accumulate):
    tx = optimizers.gradient_descent(0.5)
    step = training.make_train_step(squared, tx, accumulate=accumulate, rng_streams=())
    state, metrics = jax.jit(step)(start(tx), BATCH, KEY)
    chex.assert_trees_all_close(state.params["w"], jnp.float32(0.5 * MEAN), rtol=1e-6)
    assert int(state.step) == 1
    want = {"loss": (1 + 8 + 9) / 8, "error": -MEAN, "gradient_norm": MEAN, "weight": 4.0}
    for name, value in want.items():
        assert metrics[name] == pytest.approx(value, rel=1e-6), name
    assert int(metrics["non_finite"]) == 0


def test_padding_of_weight_zero_changes_nothing():
    tx = optimizers.adam(0.1)
    step = jax.jit(training.make_train_step(squared, tx, rng_streams=()))
    whole = {"x": BATCH["x"][:3], "weight": BATCH["weight"][:3]}
    chex.assert_trees_all_close(step(start(tx), BATCH, KEY), step(start(tx), whole, KEY))


def test_without_weights_every_example_counts_alike():
    tx = optimizers.gradient_descent(1.0)
    step = training.make_train_step(squared, tx, rng_streams=())
    state, _ = step(start(tx), {"x": BATCH["x"]}, KEY)
    assert float(state.params["w"]) == 4.0


@pytest.mark.parametrize("accumulate", [1, 2])
def test_penalty_is_added_once(accumulate):
    tx = optimizers.gradient_descent(1.0)
    step = training.make_train_step(
        squared, tx, penalty=lambda p: 3 * p["w"], accumulate=accumulate, rng_streams=()
    )
    state, metrics = step(start(tx), BATCH, KEY)
    assert float(state.params["w"]) == pytest.approx(MEAN - 3)
    assert float(metrics["penalty"]) == 0.0 and float(metrics["loss"]) == pytest.approx(18 / 8)


def test_mapped_axis_sums_over_all_its_members():
    tx = optimizers.gradient_descent(1.0)
    step = training.make_train_step(
        squared, tx, penalty=lambda p: 3 * p["w"], rng_streams=(), axis_name="i"
    )
    parts = jax.tree.map(lambda x: x.reshape(2, 2), BATCH)
    mapped = jax.jit(jax.vmap(step, in_axes=(None, 0, None), out_axes=0, axis_name="i"))
    state, metrics = mapped(start(tx), parts, KEY)
    chex.assert_trees_all_close(state.params["w"], jnp.full(2, MEAN - 3), rtol=1e-6)
    chex.assert_trees_all_close(metrics["weight"], jnp.full(2, 4.0))


def test_draws_differ_by_step_part_and_member_and_are_repeatable():
    tx = optimizers.gradient_descent(0.0)
    model_state = {"seen": jnp.zeros((), jnp.int32)}
    batch = {"x": jnp.zeros(4)}
    step = jax.jit(training.make_train_step(noisy, tx, accumulate=2))
    state, first = step(start(tx, model_state), batch, KEY)
    assert int(state.model_state["seen"]) == 2
    _, second = step(state, batch, KEY)
    _, again = step(start(tx, model_state), batch, KEY)
    assert float(first["noise"]) == float(again["noise"]) != float(second["noise"])
    member = training.make_train_step(noisy, tx, axis_name="i")
    seen = jax.vmap(
        lambda b: member(start(tx, model_state), b, KEY)[0].model_state["seen"], axis_name="i"
    )
    chex.assert_trees_all_equal(jax.jit(seen)({"x": jnp.zeros((3, 4))}), jnp.ones(3, jnp.int32))


def test_reported_rate_follows_the_schedule_and_the_scale():
    rate = schedules.step_decay(1.0, factor=0.5, every_steps=1)
    tx = optimizers.gradient_descent(rate)
    step = training.make_train_step(squared, tx, rng_streams=(), learning_rate=rate)
    state = dataclasses.replace(start(tx), learning_rate_scale=jnp.float32(0.25))
    state, metrics = step(state, BATCH, KEY)
    assert float(metrics["learning_rate"]) == 0.25
    assert float(state.params["w"]) == pytest.approx(0.25 * MEAN)
    assert float(step(state, BATCH, KEY)[1]["learning_rate"]) == 0.125


@pytest.mark.parametrize("bad, count", [(jnp.nan, 3), (jnp.inf, 3)])
def test_non_finite_entries_are_counted(bad, count):
    tx = optimizers.gradient_descent(1.0)
    step = training.make_train_step(squared, tx, rng_streams=())
    _, metrics = step(start(tx), {"x": jnp.array([1.0, bad])}, KEY)
    assert int(metrics["non_finite"]) == count  # the loss, one gradient, one parameter


def test_rule_is_given_the_loss():
    seen = []

    def update(updates, state, params=None, *, value, **extra_args):
        seen.append(float(value))
        return updates, state

    tx = optax.GradientTransformationExtraArgs(lambda params: (), update)
    training.make_train_step(squared, tx, rng_streams=())(start(tx), BATCH, KEY)
    assert seen == [pytest.approx(18 / 8)]


def test_bad_arguments_are_named():
    tx = optax.sgd(0.1)
    with untyped(), pytest.raises(TypeError, match="tx must be"):
        training.make_train_step(squared, None)
    with pytest.raises(ValueError, match="accumulate must be at least 1, got 0"):
        training.make_train_step(squared, tx, accumulate=0)
    with pytest.raises(ValueError, match='must not hold "params"'):
        training.make_train_step(squared, tx, rng_streams=("params",))
    step = training.make_train_step(squared, tx, accumulate=3, rng_streams=())
    with pytest.raises(ValueError, match="divide the batch of 4 examples, got 3"):
        step(start(tx), BATCH, KEY)
    with pytest.raises(TypeError, match="params"):
        training.init_state({"w": jnp.zeros((), complex)}, tx)


@pytest.mark.parametrize(
    "change, match",
    [
        (lambda losses: (losses[:, None], {}), r"one loss per example, .*\(4,\), got \(4, 1\)"),
        (lambda losses: (losses.mean(), {}), r"one loss per example, .*\(4,\), got \(\)"),
        (lambda losses: (losses, {"m": losses[:, None]}), r"one m per example, .* got \(4, 1\)"),
        (lambda losses: (losses, {"weight": losses}), "must not name a metric 'weight'"),
        (lambda losses: (losses, {"loss": losses}), "must not name a metric 'loss'"),
    ],
)
def test_losses_that_would_be_weighted_wrongly_are_refused(change, match):
    """A column of losses would be broadcast against the row of weights."""

    def loss(params, model_state, batch, keys, *, train):
        losses, (model_state, _) = squared(params, model_state, batch, keys, train=train)
        losses, metrics = change(losses)
        return losses, (model_state, metrics)

    tx = optax.sgd(0.1)
    with untyped(), pytest.raises(ValueError, match=match):
        training.make_train_step(loss, tx, rng_streams=())(start(tx), BATCH, KEY)
    with untyped(), pytest.raises(ValueError, match=match):
        training.make_eval_step(loss)(start(tx), BATCH)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_sums_over_parts_are_not_rounded_to_the_parameters_type(dtype):
    """In bfloat16 the sum of 256 parts of 5 each lost an eighth; the mean gradient is 1."""

    def loss(params, model_state, batch, keys, *, train):
        return params["w"].astype(jnp.float32) * batch["x"], (model_state, {})

    tx = optax.sgd(1.0)
    state = training.init_state({"w": jnp.zeros((), dtype)}, tx)
    step = training.make_train_step(loss, tx, accumulate=256, rng_streams=())
    state, _ = step(state, {"x": jnp.ones(1280)}, KEY)
    assert state.params["w"].dtype == dtype
    assert float(state.params["w"]) == -1.0


def test_half_precision_does_not_overflow_in_a_large_batch():
    """The sum of the gradients would be 122,880, over the largest float16 of 65,504."""

    def steep(params, model_state, batch, keys, *, train):
        return params * batch["x"], (model_state, {})

    tx, batch = optimizers.gradient_descent(1.0), {"x": jnp.full((4096,), 30, jnp.float16)}
    step = training.make_train_step(steep, tx, rng_streams=())
    state, metrics = step(training.init_state(jnp.ones((), jnp.float16), tx), batch, KEY)
    assert float(metrics["gradient_norm"]) == pytest.approx(30, rel=2e-3)
    assert float(state.params) == pytest.approx(-29, rel=2e-3)


def test_arguments_of_other_kinds_are_refused():
    tx = optax.sgd(0.1)
    for given in (jnp.ones(4), (jnp.ones(4), {}), (jnp.ones(4), ({}, None))):
        step = training.make_train_step(lambda *_, given=given, train: given, optax.sgd(0.1))
        state = training.init_state(jnp.zeros(()), optax.sgd(0.1))
        match = r"loss must give \(losses, \(model_state, metrics\)\), metrics a dict, got"
        with untyped(), pytest.raises(TypeError, match=match):
            step(state, {"x": jnp.ones(4)}, jax.random.key(0))
    with untyped(), pytest.raises(TypeError, match="loss must be a function, got 3"):
        training.make_train_step(3, tx)
    with untyped(), pytest.raises(TypeError, match="penalty must be a function, got 3"):
        training.make_train_step(squared, tx, penalty=3)
    with pytest.raises(TypeError, match="rng_streams must be a sequence of names, got 'dropout'"):
        training.make_train_step(squared, tx, rng_streams="dropout")
    with pytest.raises(TypeError, match=r"params\['n'\] must be real and floating, got int32"):
        training.init_state({"n": jnp.zeros((), jnp.int32)}, tx)
