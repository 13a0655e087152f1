"""Law 3: every schedule is its formula in float64, up to the last count that an int32 holds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.cases.schedule_values import EXACT, LAST
from tests.cases.schedules import SCHEDULES as CASES
from tests.presets.cases import SCHEDULES as PRESETS

SCHEDULES = {**CASES, **PRESETS}
SETTINGS = [
    pytest.param(name, setting, id=f"{name}-{number}", marks=[pytest.mark.slow] * (number > 0))
    for name, exact in EXACT.items()
    for number, setting in enumerate(exact.settings)
]


def counts(name, setting):
    """A log-spaced grid, and twenty counts on either side of every end, of 0 and of the last.

    A multiple of 1024, so that most arrays have one shape, and JAX compiles for it once.
    """
    near = np.arange(-20, 21)[:, None] + np.array([0, LAST, *EXACT[name].ends(**setting)])
    grid = np.concatenate([np.logspace(0, np.log10(LAST), 300).astype(np.int64), near.ravel()])
    return np.sort(np.pad(np.clip(grid, 0, LAST), (0, -len(grid) % 1024), mode="edge"))


def check(got, name, setting, t):
    with np.errstate(over="ignore"):
        want = EXACT[name].formula(t, **setting)
    assert not np.any(np.isnan(got))
    held = want < 3e38  # what float32 can hold; rates that grow go beyond
    got, want = np.float64(got)[held], want[held]
    # below 1e-30 of the peak, the same tolerance in absolute terms
    excess = np.abs(got - want) / np.maximum(want, 1e-30 * min(np.max(want), 1.0))
    worst = np.argmax(excess)
    assert excess[worst] <= 1e-5, (t[held][worst], got[worst], want[worst])


def test_every_schedule_has_a_formula():
    assert set(EXACT) == set(SCHEDULES)


@pytest.mark.parametrize("name, setting", SETTINGS)
def test_concrete_hyper_parameters_mean_their_float64_values(name, setting):
    t = counts(name, setting)
    schedule = SCHEDULES[name].make(**setting)
    check(schedule(t), name, setting, t)
    check(jax.jit(schedule)(jnp.asarray(t, jnp.int32)), name, setting, t)


@pytest.mark.parametrize("name, setting", SETTINGS)
def test_traced_hyper_parameters_mean_their_float32_values(name, setting):
    t = counts(name, setting)
    case = SCHEDULES[name]
    hyper = {key: np.float32(value) for key, value in setting.items() if key in case.hyper}
    rates = jax.jit(lambda hyper: case.make(**{**setting, **hyper})(t))(hyper)
    check(rates, name, {**setting, **{key: float(value) for key, value in hyper.items()}}, t)
