"""Rules that would watch a run the wrong way are refused by `fit` and `run` alike."""

import functools

import jax
import jax.numpy as jnp
import optax
import pytest

from jaxtricks import control, models, training
from jaxtricks.training import NonFiniteError, fit, run
from tests.training.small_run import BATCH, examples, parts

KEY = jax.random.key(0)
TRAIN, VALIDATION = examples(32, 0), examples(16, 1)


def by_fit(**options):
    fit(*parts(), TRAIN, VALIDATION, key=KEY, epochs=1, batch_size=BATCH, **options)


def by_run(**options):
    run(*parts(), TRAIN, VALIDATION, key=KEY, epochs=1, batch_size=BATCH, **options)


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
            "stopping must have mode='max' for monitor='accuracy', got 'min'",
        ),
        (
            {"plateau": control.plateau(mode="max")},
            ValueError,
            "plateau must have mode='min' for monitor='loss', got 'max'",
        ),
        (
            {
                "plateau": control.plateau(),
                "stopping": control.early_stopping(2, mode="max"),
                "monitor": "accuracy",
            },
            ValueError,
            "plateau must have mode='max' for monitor='accuracy', got 'min'",
        ),
    ],
    ids=[
        "plateau stops",
        "stopping scales",
        "initial factor",
        "small accuracy",
        "large loss",
        "two",
    ],
)
def test_a_rule_that_would_mislead_is_refused(make, options, error, message):
    with pytest.raises(error, match=message):
        make(**options)


@pytest.mark.slow
def test_a_run_is_made_inside_a_trial():
    def trial(patience):
        rules = {"stopping": control.early_stopping(patience, mode="max"), "monitor": "accuracy"}
        options = {"epochs": 1, "batch_size": BATCH, **rules}
        return run(*parts(), TRAIN, VALIDATION, key=KEY, **options).epochs

    assert jax.eval_shape(trial, 1).shape == ()
    assert jax.eval_shape(lambda: trial(1)).shape == ()


@pytest.mark.slow
def test_an_accuracy_is_not_made_small_without_a_rule_either():
    with pytest.raises(ValueError, match=r"stopping must be .* control.keep_best\(mode=.max.\)"):
        by_fit(monitor="accuracy")
    by_fit(monitor="accuracy", stopping=control.keep_best(mode="max"))


@pytest.mark.slow
def test_a_label_out_of_range_in_validation_ends_the_run():
    labels = VALIDATION["label"].copy()
    labels[3] = 3
    wrong = {**VALIDATION, "label": labels}
    with pytest.raises(NonFiniteError, match=r"validation.loss.* below the number of logits"):
        fit(*parts(), TRAIN, wrong, key=KEY, epochs=2, batch_size=BATCH)


@pytest.mark.slow
def test_the_best_variables_have_the_best_metric():
    model = models.MLP((8, 3), block=models.batch_norm_block)
    init = jax.jit(functools.partial(model.init, train=False))
    variables = init(KEY, jnp.zeros((1, 4, 4, 1)))
    ours = training.trainer(training.classification_loss(model), optax.sgd(0.1))
    options = {"key": KEY, "epochs": 3, "batch_size": BATCH}
    end = fit(ours, ours.init(variables), TRAIN, VALIDATION, **options)
    measured = training.evaluate(ours, end.best_variables, VALIDATION, BATCH)["loss"]
    best = min(end.history, key=lambda record: record["validation.loss"])
    assert float(measured) == pytest.approx(best["validation.loss"], rel=1e-6)
    assert end.best_epoch == best["epoch"]
