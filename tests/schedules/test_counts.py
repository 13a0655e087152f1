"""What a schedule is called with, what comes back, and how long a length may be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import schedules
from tests.cases.control import CONTROLS
from tests.cases.schedules import SCHEDULES as CASES
from tests.cases.transforms import TRANSFORMS
from tests.presets import cases as preset_cases
from tests.untyped import untyped

SCHEDULES = {**CASES, **preset_cases.SCHEDULES}
FACTORIES = {
    **SCHEDULES,
    **CONTROLS,
    **preset_cases.CONTROLS,
    **{name: TRANSFORMS[name] for name in ("accumulate", "adam_to_sgd")},
}
NO_LENGTHS = ("model_size", "multiplier", "T_mult")


def build(case, cast=float, **changed):
    hyper = {name: cast(values[0]) for name, values in case.hyper.items()}
    return case.make(**{**case.static, **hyper, **changed})


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(
    "count", ["3", None, [3], (3, 4), True, 1j, np.ones(2, bool), np.array(["3"]), np.array([{}])]
)
def test_what_is_no_number_and_no_array_of_numbers_is_no_count(name, count):
    message = "count must be a real number or an array of real numbers, got"
    with untyped(), pytest.raises(TypeError, match=message):
        build(SCHEDULES[name])(count)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(
    "count", [np.nan, jnp.float32(np.nan), np.inf, -1, np.int8(-1), 2**31, 10**400, -np.float16(1)]
)
def test_a_count_is_a_number_of_updates(name, count):
    with pytest.raises(ValueError, match="count must be in .* got"):
        build(SCHEDULES[name])(count)


@pytest.mark.slow
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_rate_is_float32_whatever_goes_in(name, wide):
    want = float(build(SCHEDULES[name])(3))
    with jax.enable_x64(wide):
        for cast in (float, np.float64, jnp.bfloat16):
            schedule = build(SCHEDULES[name], cast)
            for number in (int, np.int64, np.uint8, jnp.int8, jnp.uint32, float, jnp.bfloat16):
                rate = schedule(number(3))
                assert rate.dtype == jnp.float32 and not rate.weak_type, (cast, number)
                assert float(rate) == pytest.approx(
                    want, rel=2e-2 if cast is jnp.bfloat16 else 1e-5
                )


def test_short_integers_do_not_overflow_nor_short_floats_round():
    rate = schedules.linear_decay(1.0, 1000)
    assert float(rate(jnp.int8(100))) == pytest.approx(0.9)
    assert float(rate(jnp.bfloat16(100.0))) == pytest.approx(0.9)


def lengths():
    for name, case in FACTORIES.items():
        for argument, value in case.static.items():
            if isinstance(value, int) and argument not in (*NO_LENGTHS, *flags(case)):
                yield pytest.param(case, {argument: 2**31}, id=f"{name}-{argument}")
            elif argument in ("boundaries", "milestones"):
                far = (*value[:-1], 2**31)
                yield pytest.param(case, {argument: far}, id=f"{name}-{argument}")


def flags(case):
    return [name for name, value in case.static.items() if isinstance(value, bool)]


@pytest.mark.parametrize("case, change", list(lengths()))
def test_a_length_over_int32_is_refused(case, change):
    (name,) = change
    message = rf"{name}(\[\d\])? must be at most 2147483647, got 2147483648"
    with pytest.raises(ValueError, match=message):
        build(case, **change)
