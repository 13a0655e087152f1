"""Rules that would watch a run the wrong way are refused by `fit` and `make_run` alike."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import control, models
from jaxtricks.training import (
    NonFiniteError,
    classification_loss,
    evaluate,
    fit,
    init_state,
    make_eval_step,
    make_run,
    make_train_epoch,
    make_train_step,
    with_variables,
)
from tests.training.small_run import BATCH, examples, parts
from tests.untyped import untyped

KEY = jax.random.key(0)
TRAIN, VALIDATION = examples(32, 0), examples(16, 1)


def by_fit(**options):
    fit(*parts(), TRAIN, VALIDATION, key=KEY, epochs=1, batch_size=BATCH, **options)


def by_run(**options):
    step, eval_step, _ = parts()
    make_run(make_train_epoch(step), eval_step, epochs=1, batch_size=BATCH, **options)


@pytest.mark.parametrize("make", [by_fit, by_run])
@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"stopping": control.plateau()}, TypeError, "stopping must be .* whether to stop"),
        ({"plateau": control.early_stopping(2)}, TypeError, "plateau must be .* a factor"),
        ({"plateau": control.plateau(initial=0.5)}, ValueError, "initial=1, .* got initial=0.5"),
        (
            {"stopping": control.early_stopping(2), "monitor": "accuracy"},
            ValueError,
            "stopping must have mode=\"max\" for monitor='accuracy'",
        ),
        (
            {"plateau": control.plateau(mode="max")},
            ValueError,
            "plateau must have mode=\"min\" for monitor='loss'",
        ),
    ],
    ids=["plateau stops", "stopping scales", "initial factor", "small accuracy", "large loss"],
)
def test_a_rule_that_would_mislead_is_refused(make, options, error, message):
    with pytest.raises(error, match=message):
        make(**options)


def test_a_run_is_made_inside_a_trial():
    step, eval_step, state = parts()

    def trial(patience):
        rules = {"stopping": control.early_stopping(patience, mode="max"), "monitor": "accuracy"}
        epoch = make_train_epoch(step)
        run = make_run(epoch, eval_step, epochs=1, batch_size=BATCH, **rules)
        return run(state, TRAIN, VALIDATION, KEY).epochs

    assert jax.eval_shape(trial, 1).shape == ()
    assert jax.eval_shape(lambda: trial(1)).shape == ()


def test_an_accuracy_is_not_made_small_without_a_rule_either():
    with pytest.raises(ValueError, match='mode="max"'):
        by_fit(monitor="accuracy")


def test_a_label_out_of_range_in_validation_ends_the_run():
    labels = VALIDATION["label"].copy()
    labels[3] = 3
    step, eval_step, state = parts()
    with pytest.raises(NonFiniteError, match=r"validation.loss.* below the number of logits"):
        fit(
            step, eval_step, state, TRAIN, {**VALIDATION, "label": labels},
            key=KEY, epochs=2, batch_size=BATCH,
        )  # fmt: skip


def test_variables_of_a_model_are_no_model_state():
    with pytest.raises(ValueError, match='model_state must not hold "params"'):
        init_state(jnp.ones(2), optax.sgd(0.1), {"params": jnp.ones(2)})
    with pytest.raises(ValueError, match=r'params must be variables\["params"\]'):
        init_state({"params": jnp.ones(2)}, optax.sgd(0.1))


def test_the_best_variables_are_evaluated_as_a_state():
    model = models.MLP((8, 3), batch_norm=True)
    variables = model.init(KEY, jnp.zeros((1, 4, 4, 1)), train=False)
    loss, tx = classification_loss(model), optax.sgd(0.1)
    state = init_state(variables.pop("params"), tx, variables)
    eval_step = make_eval_step(loss)
    end = fit(
        make_train_step(loss, tx, rng_streams=()), eval_step, state, TRAIN, VALIDATION,
        key=KEY, epochs=3, batch_size=BATCH,
    )  # fmt: skip
    best = with_variables(end.state, end.best)
    measured = float(evaluate(eval_step, best, VALIDATION, BATCH)["loss"])
    assert measured == pytest.approx(min(r["validation.loss"] for r in end.history), rel=1e-6)
    assert int(best.step) == int(end.state.step)
    with pytest.raises(ValueError, match="variables must hold \"params\", got \\['kernel'\\]"):
        with_variables(state, {"kernel": np.ones(1)})
    with untyped(), pytest.raises(TypeError, match="variables must be a Mapping, got None"):
        with_variables(state, None)
