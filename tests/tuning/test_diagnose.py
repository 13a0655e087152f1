"""`diagnose`: curves of a known shape have the one finding that the shape was made for."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import control, training, tuning

E = np.arange(30.0)
CHANCE = math.log(10)
GOOD = CHANCE * np.exp(-E / 3) + 0.02
UP_AND_DOWN = 0.1 * (-1) ** np.arange(30)
RATES = np.where(E < 6, 0.1, 0.01)


def names(history, **options):
    return [found.name for found in tuning.diagnose(history, **{"classes": 10, **options})]


PLANTED = {
    "diverged": {"train.loss": np.where(E < 20, GOOD, np.inf)},
    "dead": {
        "train.loss": np.full(30, CHANCE),
        "train.gradient_norm": np.where(E < 1, 1.0, 0.0),
    },
    "rate too low": {"train.loss": CHANCE - 1e-3 * E},
    "rate too high": {"train.loss": CHANCE + UP_AND_DOWN},
    "bad start": {"train.loss": np.where(E < 9, CHANCE, CHANCE * np.exp(-(E - 9) / 3) + 0.02)},
    "decayed too early": {
        "train.loss": np.where(E < 6, CHANCE - 0.1 * E, CHANCE - 0.5 - 0.001 * (E - 5)),
        "train.learning_rate": RATES,
    },
    "overfit": {"train.loss": GOOD, "validation.loss": GOOD + 0.3 + 0.02 * E},
    "plateau": {"train.loss": GOOD + 0.5 + UP_AND_DOWN},
    "underfit": {"train.loss": GOOD + 1.0, "validation.loss": GOOD + 1.02},
    "still falling": {"train.loss": CHANCE - 0.05 * E, "validation.loss": CHANCE - 0.05 * E},
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_shape_has_its_finding_and_no_other(name):
    (found,) = tuning.diagnose(PLANTED[name], classes=10)
    assert found.name == name
    assert any(digit.isdigit() for digit in found.because) or "inf" in found.because
    assert found.advice.endswith(".")


def test_every_name_is_planted_once():
    assert set(PLANTED) == set(tuning.Finding.__annotations__["name"].__args__)


def test_a_good_run_has_none():
    assert names({"train.loss": GOOD, "validation.loss": GOOD + 0.03}) == []
    late = {"train.loss": GOOD, "train.learning_rate": np.where(E < 25, 0.1, 0.01)}
    assert names(late) == []


def test_a_gap_in_accuracy_is_overfitting():
    right = 1 - np.exp(-E / 3)
    curves = {"train.loss": GOOD, "train.accuracy": right}
    assert names({**curves, "validation.accuracy": right - 0.05}) == []
    assert names({**curves, "validation.accuracy": right - 0.2}) == ["overfit"]


def test_two_may_be_found_the_more_urgent_first():
    both = {"train.loss": GOOD + 0.5 + UP_AND_DOWN, "validation.loss": GOOD + 0.6 + 0.05 * E}
    assert names(both) == ["overfit", "plateau"]


@pytest.mark.parametrize("first", [np.nan, np.inf])
def test_a_first_validation_loss_that_is_not_finite_is_no_knowledge(first):
    held_back = np.where(E < 1, first, GOOD)
    assert names({"train.loss": GOOD, "validation.loss": held_back}, classes=None) == []
    rising = {"train.loss": CHANCE + E, "validation.loss": held_back}
    assert names(rising, classes=None) == ["diverged"]


def test_short_runs_have_the_first_rules_only():
    assert names({"train.loss": [CHANCE, 9.0]}) == ["diverged"]
    assert names({"train.loss": [CHANCE, 1.0]}) == []
    assert names({"train.loss": [CHANCE]}) == []
    assert names({"train.loss": [CHANCE, CHANCE]}) == ["bad start"]


def test_a_loss_that_never_moves_has_a_bad_start_and_one_that_came_back_a_high_rate():
    noise = 0.002 * (-1) ** np.arange(30)
    assert names({"train.loss": CHANCE + noise}) == ["bad start"]
    assert names({"train.loss": np.where(E < 3, 1.5, CHANCE + noise)}) == ["rate too high"]


def test_a_high_rate_that_left_no_knowledge_is_not_called_too_low():
    assert names({"train.loss": [3.65, 2.403, 2.355, 2.327, 2.321, 2.313]}) == ["rate too high"]


def test_a_good_run_that_is_at_its_end_is_not_called_flat():
    end = [0.1, 0.099, 0.099, 0.098, 0.0985, 0.099]
    curves = {"train.loss": end, "train.accuracy": [0.98] * 6}
    assert "rate too high" not in names(curves, classes=None)
    assert names({"train.loss": [0.1]}, classes=None) == []


def test_several_runs_are_refused():
    with pytest.raises(ValueError, match="one number per epoch"):
        tuning.diagnose({"train.loss": np.ones((2, 3)), "train.weight": np.ones((2, 3))})


def parabola(params, model_state, batch, keys, *, train):
    return (params - batch["x"]) ** 2, (model_state, {})


def test_runs_fits_records_and_curves_are_read_alike_and_a_stop_is_no_divergence():
    ours, some = training.trainer(parabola, optax.sgd(0.01)), {"x": jnp.ones(4)}
    start = ours.init({"params": jnp.zeros(())})
    options = {"key": jax.random.key(0), "epochs": 8, "batch_size": 4}
    run = training.run(ours, start, some, some, **options)
    fit = training.fit(ours, start, some, some, progress=False, **options)
    found = [tuning.diagnose(history) for history in (run, fit, fit.history)]
    assert found[0] == found[1] == found[2] != []
    stopped = training.run(
        ours, start, some, {"x": -jnp.ones(4)}, stopping=control.early_stopping(2), **options
    )
    assert np.isnan(stopped.train["loss"]).any()
    assert "diverged" not in [one.name for one in tuning.diagnose(stopped)]


@pytest.mark.parametrize(
    "history, error, message",
    [
        ({}, ValueError, "train.loss"),
        ([], ValueError, "train.loss"),
        ({"train.loss": []}, ValueError, "train.loss"),
        ({"train.loss": ["a"]}, TypeError, "train.loss"),
        ({"train.loss": np.ones((2, 2))}, ValueError, "one number per epoch"),
        ({"train.loss": np.ones(3), "validation.loss": np.ones(2)}, ValueError, "validation.loss"),
        ({"train.loss": [1.0], "validation_loss": [1.0]}, ValueError, "'validation.loss'"),
        (3, TypeError, "history"),
        ("text", TypeError, "history"),
        ([1, 2], TypeError, "history"),
        ({"train.loss": [2.0, -1.0]}, ValueError, "not be negative, .* got -1 in epoch 2"),
    ],
)
def test_bad_histories_are_named(history, error, message):
    with pytest.raises(error, match=message):
        tuning.diagnose(history)


def test_one_class_is_none():
    with pytest.raises(ValueError, match="classes"):
        tuning.diagnose({"train.loss": GOOD}, classes=1)


def test_a_loss_below_0_by_rounding_and_an_infinite_one_are_read():
    assert tuning.diagnose({"train.loss": [*GOOD[:-1], -1e-9]}, classes=10) is not None
    assert tuning.diagnose({"train.loss": [2.0, -np.inf]})[0].name == "diverged"
