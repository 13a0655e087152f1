"""`presets.keras` against what Keras 3 computed in float64."""

import importlib.util

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import presets
from tests.golden.tables import KERAS_RULES, KERAS_SCHEDULES
from tests.presets import parity
from tests.presets.parity import label

NOT_OURS = {
    "loss_scale_factor",
    "gradient_accumulation_steps",
    "name",
    "kwargs",
}


@pytest.mark.parametrize("index, case", [*enumerate(KERAS_RULES)], ids=map(label, KERAS_RULES))
def test_updates_are_keras(index, case):
    golden = parity.table("keras")
    theirs = golden[f"updates_{index}"]
    rate = parity.cut_rate(case.arguments["learning_rate"])
    tx = getattr(presets.keras, case.preset)(**{**case.arguments, "learning_rate": rate})
    ours = parity.our_updates(tx, golden, index)
    assert parity.parity_error(ours, theirs) <= 1e-6


@pytest.mark.parametrize("preset", sorted(parity.facts("keras")["signatures"]))
def test_arguments_and_defaults_are_keras(preset):
    theirs = parity.facts("keras")["signatures"][preset]
    ours = parity.arguments_of(getattr(presets.keras, preset))
    assert ours == {name: default for name, default in theirs.items() if name not in NOT_OURS}
    assert list(ours) == [name for name in theirs if name in ours]


@pytest.mark.parametrize(
    "index, case", [*enumerate(KERAS_SCHEDULES)], ids=map(label, KERAS_SCHEDULES)
)
def test_rates_of_60_updates_are_keras(index, case):
    theirs = parity.facts("keras")["schedules"][index]
    schedule = parity.schedule_of(presets.keras, case)
    ours = jax.jit(jax.vmap(schedule))(np.arange(len(theirs)))
    assert parity.rate_error(ours, theirs) <= 1


@pytest.mark.parametrize("preset", sorted(parity.facts("keras")["schedule_signatures"]))
def test_arguments_and_defaults_of_schedules_are_keras(preset):
    theirs = parity.facts("keras")["schedule_signatures"][preset]
    ours = parity.arguments_of(getattr(presets.keras, preset))
    assert ours == {name: default for name, default in theirs.items() if name != "name"}
    assert list(ours) == [name for name in theirs if name in ours]


@pytest.mark.parametrize(
    "preset, arguments, message",
    [
        ("exponential_decay", {"decay_steps": 0, "decay_rate": 0.5}, r"decay_steps.*got 0"),
        ("inverse_time_decay", {"decay_steps": 2, "decay_rate": -0.5}, r"decay_rate.*got -0.5"),
        ("polynomial_decay", {"decay_steps": 2, "power": -1.0}, r"power must be .*, got -1.0"),
        ("cosine_decay", {"decay_steps": 2, "alpha": 1.5}, r"alpha must be .*, got 1.5"),
        ("cosine_decay", {"decay_steps": 2, "warmup_steps": -1}, r"warmup_steps.*got -1"),
        ("cosine_decay_restarts", {"first_decay_steps": 2, "t_mul": 0.5}, r"t_mul.*got 0.5"),
        ("cosine_decay_restarts", {"first_decay_steps": 2, "t_mul": 1 + 1e-9}, r"t_mul.*100000"),
    ],
)
def test_bad_arguments_of_schedules_are_refused(preset, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(presets.keras, preset)(0.1, **arguments)


def test_each_piece_of_a_rate_needs_a_value():
    with pytest.raises(ValueError, match=r"values must be one more than the 1 boundaries"):
        presets.keras.piecewise_constant_decay([3], [0.1])
    with pytest.raises(ValueError, match=r"values\[1\] must be .*, got -1.0"):
        presets.keras.piecewise_constant_decay([3], [0.1, -1.0])


@pytest.mark.parametrize("preset", sorted(parity.facts("keras")["signatures"]))
@pytest.mark.parametrize("name, bad", [("learning_rate", -0.1), ("weight_decay", -0.1)])
def test_bad_arguments_are_refused(preset, name, bad):
    with pytest.raises(ValueError, match=f"{name} must be .*, got {bad}"):
        getattr(presets.keras, preset)(**{name: bad})


@pytest.mark.parametrize(
    "preset, arguments, message",
    [
        ("sgd", {"momentum": 1.5}, r"momentum must be .*, got 1.5"),
        ("adagrad", {"initial_accumulator_value": -0.1}, r"initial_accumulator_value.*got -0.1"),
        ("rmsprop", {"rho": 1.1}, r"rho must be .*, got 1.1"),
        ("adadelta", {"epsilon": -1.0}, r"epsilon must be .*, got -1.0"),
        ("adam", {"beta_1": 1.0}, r"beta_1 must be .*, got 1.0"),
        ("adamw", {"beta_2": -0.1}, r"beta_2 must be .*, got -0.1"),
        ("sgd", {"clipnorm": -1.0}, r"clipnorm must be .*, got -1.0"),
        ("adam", {"clipnorm": 1.0, "clipvalue": 0.5}, "at most one of .* got clipnorm, clipvalue"),
        ("rmsprop", {"ema_momentum": 1.5}, r"ema_momentum must be .*, got 1.5"),
        ("adagrad", {"ema_overwrite_frequency": 0}, "ema_overwrite_frequency must be .*, got 0"),
    ],
)
def test_bad_arguments_are_refused_by_keras_names(preset, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(presets.keras, preset)(**arguments)


def test_decay_needs_the_parameters():
    tx = presets.keras.adamw()
    with pytest.raises(ValueError, match="params"):
        tx.update(jnp.ones(2), tx.init(jnp.ones(2)))


def test_the_table_is_what_the_installed_keras_computes(tmp_path):
    if any(importlib.util.find_spec(name) is None for name in ("keras", "torch")):
        pytest.skip("Keras or its PyTorch backend is not installed")
    parity.generate("keras", tmp_path)
    golden, live = parity.table("keras"), parity.table("keras", tmp_path)
    chex.assert_trees_all_close(golden, live, rtol=1e-6)
    for key in ("signatures", "schedule_signatures", "schedules"):
        assert parity.facts("keras", tmp_path)[key] == parity.facts("keras")[key]
