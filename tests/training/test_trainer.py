"""The step against closed forms: weights, parts, penalties, keys, and what it reports."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import optimizers, schedules, training
from tests.training.nets import Net, examples, start
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


def made(loss, tx, model_state=None, **options):
    """A trainer of one weight, and its first state."""
    trainer = training.trainer(loss, tx, **options)
    return trainer, trainer.init({"params": {"w": jnp.zeros(())}, **(model_state or {})})


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 2, 4])
def test_weighted_mean_has_a_closed_form_whatever_the_number_of_parts(accumulate):
    tx = optimizers.gradient_descent(0.5)
    trainer, state = made(squared, tx, accumulate=accumulate, rng_streams=())
    state, metrics = jax.jit(trainer.step)(state, BATCH, KEY)
    chex.assert_trees_all_close(state.params["w"], jnp.float32(0.5 * MEAN), rtol=1e-6)
    assert int(state.step) == 1
    want = {"loss": (1 + 8 + 9) / 8, "error": -MEAN, "gradient_norm": MEAN, "weight": 4.0}
    for name, value in want.items():
        assert metrics[name] == pytest.approx(value, rel=1e-6), name
    assert int(metrics["non_finite"]) == 0


@pytest.mark.slow
def test_padding_of_weight_zero_changes_nothing():
    tx = optimizers.adam(0.1)
    trainer, state = made(squared, tx, rng_streams=())
    step, whole = jax.jit(trainer.step), {"x": BATCH["x"][:3], "weight": BATCH["weight"][:3]}
    chex.assert_trees_all_close(step(state, BATCH, KEY), step(state, whole, KEY))


@pytest.mark.slow
def test_without_weights_every_example_counts_alike():
    tx = optimizers.gradient_descent(1.0)
    trainer, state = made(squared, tx, rng_streams=())
    state, _ = trainer.step(state, {"x": BATCH["x"]}, KEY)
    assert float(state.params["w"]) == 4.0


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 2])
def test_penalty_is_added_once(accumulate):
    tx = optimizers.gradient_descent(1.0)
    trainer, state = made(
        squared, tx, penalty=lambda p: 3 * p["w"], accumulate=accumulate, rng_streams=()
    )
    state, metrics = trainer.step(state, BATCH, KEY)
    assert float(state.params["w"]) == pytest.approx(MEAN - 3)
    assert float(metrics["penalty"]) == 0.0 and float(metrics["loss"]) == pytest.approx(18 / 8)


def test_mapped_axis_sums_over_all_its_members():
    tx = optimizers.gradient_descent(1.0)
    trainer, state = made(squared, tx, penalty=lambda p: 3 * p["w"], rng_streams=(), axis_name="i")
    parts = jax.tree.map(lambda x: x.reshape(2, 2), BATCH)
    mapped = jax.jit(jax.vmap(trainer.step, in_axes=(None, 0, None), axis_name="i"))
    state, metrics = mapped(state, parts, KEY)
    chex.assert_trees_all_close(state.params["w"], jnp.full(2, MEAN - 3), rtol=1e-6)
    chex.assert_trees_all_close(metrics["weight"], jnp.full(2, 4.0))


@pytest.mark.slow
def test_draws_differ_by_step_part_and_member_and_are_repeatable():
    tx = optimizers.gradient_descent(0.0)
    model_state = {"seen": jnp.zeros((), jnp.int32)}
    batch = {"x": jnp.zeros(4)}
    trainer, begun = made(noisy, tx, model_state, accumulate=2)
    step = jax.jit(trainer.step)
    state, first = step(begun, batch, KEY)
    assert int(state.model_state["seen"]) == 2
    _, second = step(state, batch, KEY)
    _, again = step(begun, batch, KEY)
    assert float(first["noise"]) == float(again["noise"]) != float(second["noise"])
    member, begun = made(noisy, tx, model_state, axis_name="i")
    seen = jax.vmap(lambda b: member.step(begun, b, KEY)[0].model_state["seen"], axis_name="i")
    chex.assert_trees_all_equal(jax.jit(seen)({"x": jnp.zeros((3, 4))}), jnp.ones(3, jnp.int32))


RATE = schedules.step_decay(1.0, factor=0.5, every_steps=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "tx",
    [
        optimizers.gradient_descent(RATE),
        optax.chain(optax.clip_by_global_norm(99.0), optimizers.momentum(RATE, decay=0.0)),
        optax.inject_hyperparams(optimizers.gradient_descent)(learning_rate=RATE),
        optax.inject_hyperparams(optax.sgd)(learning_rate=RATE),
        optax.partition({"all": optimizers.gradient_descent(RATE)}, "all"),
    ],
    ids=["descent", "chain", "injected", "optax", "partition"],
)
def test_reported_rate_is_that_of_the_rule_times_the_scale(tx):
    trainer, state = made(squared, tx, rng_streams=())
    state = dataclasses.replace(state, learning_rate_scale=jnp.float32(0.25))
    step = jax.jit(trainer.step)
    state, metrics = step(state, BATCH, KEY)
    assert float(metrics["learning_rate"]) == 0.25
    assert float(state.params["w"]) == pytest.approx(0.25 * MEAN)
    assert float(step(state, BATCH, KEY)[1]["learning_rate"]) == 0.125


@pytest.mark.slow
def test_no_rate_is_reported_where_the_rule_keeps_none_or_two():
    two = {"a": optimizers.adam(0.1), "b": optimizers.adam(0.2)}
    for tx in (optax.sgd(0.1), optax.partition(two, {"w": "a", "learning_rate": "b"})):
        trainer = training.trainer(squared, tx, rng_streams=())
        params = {"w": jnp.zeros(()), "learning_rate": jnp.zeros(3)}
        state = trainer.init({"params": params})
        assert "learning_rate" not in trainer.step(state, BATCH, KEY)[1]


@pytest.mark.slow
def test_a_rate_learned_by_the_rule_is_reported():
    rule = optimizers.adam_to_sgd(0.5, when=1, sgd_learning_rate=0.25)
    trainer, state = made(squared, rule, rng_streams=())
    rates = []
    for _ in range(2):
        state, metrics = trainer.step(state, BATCH, KEY)
        rates.append(float(metrics["learning_rate"]))
    assert rates == [0.5, 0.25]


def with_extra(params, model_state, batch, keys, *, train):
    losses, (model_state, metrics) = squared(params, model_state, batch, keys, train=train)
    return losses, (model_state, {**metrics, "extra_args": {"gain": jnp.float32(3)}})


@pytest.mark.slow
def test_extra_args_of_the_loss_reach_the_rule_and_are_no_metric():
    def update(updates, state, params=None, *, gain, **extra_args):
        return jax.tree.map(lambda g: -gain * g, updates), state

    tx = optax.GradientTransformationExtraArgs(lambda params: (), update)
    trainer, state = made(with_extra, tx, rng_streams=())
    state, metrics = jax.jit(trainer.step)(state, BATCH, KEY)
    assert float(state.params["w"]) == pytest.approx(3 * MEAN)
    assert "extra_args" not in metrics
    assert "extra_args" not in trainer.evaluate(trainer.variables(state), BATCH)
    for options in ({"accumulate": 2}, {"axis_name": "i"}):
        trainer, state = made(with_extra, tx, rng_streams=(), **options)
        step = jax.vmap(trainer.step, in_axes=(None, 0, None), axis_name="i")
        parts = jax.tree.map(lambda x: x.reshape(1, 4), BATCH)
        with pytest.raises(ValueError, match="extra_args of the loss .* accumulate=1"):
            jax.eval_shape(step, state, parts, KEY)


def without_weight(key, batch):
    return {"x": batch["x"]}


@pytest.mark.parametrize(
    "options, error, match",
    [
        ({"augment": lambda key, batch: batch["x"]}, TypeError, "what augment returns must be"),
        (
            {"augment": without_weight},
            ValueError,
            r"augment must .* \['weight'\] are missing",
        ),
        (
            {"augment": lambda key, b: {**b, "x": b["x"][:2]}},
            ValueError,
            "augment must return 4 rows",
        ),
        ({"penalty": lambda p: jnp.stack([p["w"]] * 2)}, ValueError, r"penalty .* shape \(2,\)"),
    ],
)
def test_what_augmentation_and_penalty_give_is_checked(options, error, match):
    trainer, state = made(squared, optax.sgd(0.1), rng_streams=(), **options)
    with untyped(), pytest.raises(error, match=match):
        trainer.step(state, BATCH, KEY)


@pytest.mark.slow
def test_augmentation_sees_the_preprocessed_images_and_they_are_not_preprocessed_again():
    """Whole numbers that noise makes floating would not be divided by 255 any more."""
    seen = []

    def augment(key, batch):
        jax.debug.callback(lambda largest: seen.append(largest), batch["image"].max())
        return batch

    plain, state = start(Net(), optax.sgd(0.1))
    trainer, _ = start(Net(), optax.sgd(0.1), augment=augment)
    want, _ = jax.jit(plain.step)(state, examples(6), KEY)
    got, _ = jax.jit(trainer.step)(state, examples(6), KEY)
    jax.effects_barrier()
    assert seen[0].dtype == np.float32 and 0.1 < seen[0] <= 1
    chex.assert_trees_all_close(got, want, rtol=1e-6)
    loss = training.classification_loss(Net(), preprocess=lambda x: x / 51.0 - 1)
    moved = training.trainer(loss, optax.sgd(0.1), augment=lambda key, batch: batch)
    same = training.trainer(loss, optax.sgd(0.1))
    got, want = (jax.jit(one.step)(state, examples(6), KEY) for one in (moved, same))
    chex.assert_trees_all_close(got, want, rtol=1e-6)


def flipped(key, batch):
    """Adds one draw to each example."""
    return {**batch, "x": batch["x"] + jax.random.normal(key, batch["x"].shape)}


@pytest.mark.slow
def test_augmentation_draws_in_training_only_and_anew_in_each_step():
    tx = optimizers.gradient_descent(0.0)
    trainer, state = made(squared, tx, rng_streams=(), augment=flipped)
    plain, _ = made(squared, tx, rng_streams=())
    state, first = trainer.step(state, BATCH, KEY)
    _, second = trainer.step(state, BATCH, KEY)
    assert float(first["error"]) != float(second["error"])
    sums = trainer.evaluate(trainer.variables(state), BATCH)
    chex.assert_trees_all_equal(sums, plain.evaluate(trainer.variables(state), BATCH))


@pytest.mark.slow
def test_augmentation_has_a_stream_of_its_own():
    """Dropout draws what it draws without augmentation."""
    tx, model_state = optimizers.gradient_descent(0.0), {"seen": jnp.zeros((), jnp.int32)}
    seen = []
    for augment in (None, flipped):
        trainer, state = made(noisy, tx, model_state, augment=augment)
        seen.append(float(trainer.step(state, {"x": jnp.zeros(4)}, KEY)[1]["noise"]))
    assert seen[0] == seen[1]


@pytest.mark.slow
@pytest.mark.parametrize("bad, count", [(jnp.nan, 3), (jnp.inf, 3)])
def test_non_finite_entries_are_counted(bad, count):
    tx = optimizers.gradient_descent(1.0)
    trainer, state = made(squared, tx, rng_streams=())
    _, metrics = trainer.step(state, {"x": jnp.array([1.0, bad])}, KEY)
    assert int(metrics["non_finite"]) == count  # the loss, one gradient, one parameter


def test_rule_is_given_the_loss():
    seen = []

    def update(updates, state, params=None, *, value, **extra_args):
        seen.append(float(value))
        return updates, state

    tx = optax.GradientTransformationExtraArgs(lambda params: (), update)
    trainer, state = made(squared, tx, rng_streams=())
    trainer.step(state, BATCH, KEY)
    assert seen == [pytest.approx(18 / 8)]


def test_bad_arguments_are_named():
    tx = optax.sgd(0.1)
    with untyped(), pytest.raises(TypeError, match="tx must be"):
        training.trainer(squared, None)
    with pytest.raises(ValueError, match="accumulate must be at least 1, got 0"):
        training.trainer(squared, tx, accumulate=0)
    with pytest.raises(ValueError, match='must not hold "params"'):
        training.trainer(squared, tx, rng_streams=("params",))
    trainer, state = made(squared, tx, accumulate=3, rng_streams=())
    with pytest.raises(ValueError, match="divide the batch of 4 examples, got 3"):
        trainer.step(state, BATCH, KEY)
    with pytest.raises(TypeError, match="params"):
        trainer.init({"params": {"w": jnp.zeros((), complex)}})


@pytest.mark.slow
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
    trainer, state = made(loss, tx, rng_streams=())
    with untyped(), pytest.raises(ValueError, match=match):
        trainer.step(state, BATCH, KEY)
    with untyped(), pytest.raises(ValueError, match=match):
        trainer.evaluate(trainer.variables(state), BATCH)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_sums_over_parts_are_not_rounded_to_the_parameters_type(dtype):
    """In bfloat16 the sum of 256 parts of 5 each lost an eighth; the mean gradient is 1."""

    def loss(params, model_state, batch, keys, *, train):
        return params["w"].astype(jnp.float32) * batch["x"], (model_state, {})

    tx = optax.sgd(1.0)
    trainer = training.trainer(loss, tx, accumulate=256, rng_streams=())
    state = trainer.init({"params": {"w": jnp.zeros((), dtype)}})
    state, _ = jax.jit(trainer.step)(state, {"x": jnp.ones(1280)}, KEY)
    assert state.params["w"].dtype == dtype
    assert float(state.params["w"]) == -1.0


def test_half_precision_does_not_overflow_in_a_large_batch():
    """The sum of the gradients would be 122,880, over the largest float16 of 65,504."""

    def steep(params, model_state, batch, keys, *, train):
        return params * batch["x"], (model_state, {})

    tx, batch = optimizers.gradient_descent(1.0), {"x": jnp.full((4096,), 30, jnp.float16)}
    trainer = training.trainer(steep, tx, rng_streams=())
    state = trainer.init({"params": jnp.ones((), jnp.float16)})
    state, metrics = jax.jit(trainer.step)(state, batch, KEY)
    assert float(metrics["gradient_norm"]) == pytest.approx(30, rel=2e-3)
    assert float(state.params) == pytest.approx(-29, rel=2e-3)


def test_arguments_of_other_kinds_are_refused():
    tx = optax.sgd(0.1)
    for given in (jnp.ones(4), (jnp.ones(4), {}), (jnp.ones(4), ({}, None))):
        trainer, state = made(lambda *_, given=given, train: given, tx)
        match = r"loss must return \(losses, \(model_state, metrics\)\) with a dict of metrics, got"
        with untyped(), pytest.raises(TypeError, match=match):
            trainer.step(state, {"x": jnp.ones(4)}, jax.random.key(0))
    with untyped(), pytest.raises(TypeError, match="loss must be a function, got 3"):
        training.trainer(3, tx)
    with untyped(), pytest.raises(TypeError, match="classification_loss.model., got the model"):
        training.trainer(Net(), tx)
    with untyped(), pytest.raises(TypeError, match="loss must be .* without train"):
        training.trainer(training.classification_loss, tx)
    with untyped(), pytest.raises(TypeError, match="penalty must be a function, got 3"):
        training.trainer(squared, tx, penalty=3)
    with untyped(), pytest.raises(TypeError, match="augment must be a function, got 3"):
        training.trainer(squared, tx, augment=3)
    with pytest.raises(TypeError, match="rng_streams must be a sequence of names, got 'dropout'"):
        training.trainer(squared, tx, rng_streams="dropout")
    trainer = training.trainer(squared, tx)
    with pytest.raises(TypeError, match=r"params\['n'\] must be floating, got int32"):
        trainer.init({"params": {"n": jnp.zeros((), jnp.int32)}})
    with pytest.raises(ValueError, match=r"variables must hold \"params\", got \['kernel'\]"):
        trainer.init({"kernel": jnp.ones(2)})
    with untyped(), pytest.raises(TypeError, match="variables must be a Mapping, got None"):
        trainer.init(None)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"accumulate": 3}], ids=["whole", "parts"])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("name", ["zoom", "a_zoom"])
def test_a_number_for_all_examples_may_be_in_the_batch(name, weighted, options):
    """It was taken for a row of examples, of which some are absent."""

    def zoomed(params, model_state, batch, keys, *, train):
        return (params["w"] - batch[name] * batch["x"]) ** 2 / 2, (model_state, {})

    trainer, state = made(zoomed, optimizers.gradient_descent(1.0), **options)
    batch = {"x": jnp.array([1.0, 2.0, 6.0]), name: jnp.float32(2.0)}
    if weighted:
        batch["weight"] = jnp.array([1.0, 1.0, 0.0])
    new, _ = trainer.step(state, batch, KEY)
    assert float(new.params["w"]) == pytest.approx(3.0 if weighted else 6.0)
    sums = trainer.evaluate(trainer.variables(new), batch)
    assert float(sums["weight"]) == (2 if weighted else 3)


def test_messages_say_where_and_what_to_do():
    tx = optax.sgd(0.1)
    trainer, state = made(squared, tx)
    with pytest.raises(TypeError, match='got int32. Put what is not trained into .* "params".'):
        trainer.init({"params": {"n": jnp.zeros((), jnp.int32)}})
    inner = optax.chain(optimizers.full_precision(tx), optax.scale(0.5))
    inside, begun = made(squared, inner)
    with pytest.raises(ValueError, match=r"its state is in opt_state, at \[0\]\.$"):
        inside.step(begun, BATCH, KEY)
    other, wrong = made(squared, optimizers.adam(0.1))
    options = {"key": KEY, "epochs": 1, "batch_size": 2}
    match = r"state.opt_state must have the structure of what this trainer's init makes: "
    with pytest.raises(ValueError, match=match):
        training.fit(trainer, wrong, BATCH, BATCH, **options, progress=False)


def test_a_batch_of_numbers_alone_is_refused():
    trainer, state = made(squared, optax.sgd(0.1))
    with pytest.raises(ValueError, match="batch must hold arrays with an axis of examples, got"):
        trainer.step(state, {"x": jnp.float32(1.0)}, KEY)


def test_a_number_for_all_examples_goes_through_augmentation():
    def loss(params, model_state, batch, keys, *, train):
        return params["w"] * batch["x"] * batch["scale"], (model_state, {})

    trainer, state = made(loss, optax.sgd(1.0), augment=lambda key, batch: batch, rng_streams=())
    batch = {**BATCH, "scale": jnp.float32(2)}
    state, _ = jax.jit(trainer.step)(state, batch, KEY)
    assert float(state.params["w"]) == -2 * MEAN
