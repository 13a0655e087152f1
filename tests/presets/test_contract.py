"""The presets obey the laws of the rooms they are made of.

They are compositions of links that are under contract themselves, so only the laws that a
composition can break are run here, over the presets' own tables.
"""

import inspect

import chex
import jax
import optax
import pytest

from jaxtricks import control, presets, schedules
from tests.cases.build import first_values
from tests.contracts import test_control as controls_obey
from tests.contracts import test_schedules as schedules_obey
from tests.contracts import test_transforms as transforms_obey
from tests.contracts.test_api import float_arguments, public_functions, returns
from tests.presets.cases import CONTROLS, NO_CLIPPING, SCHEDULES, TRANSFORMS

FRAMEWORKS = {"torch": presets.torch, "keras": presets.keras}
CASES = {**TRANSFORMS, **SCHEDULES, **CONTROLS}
KINDS = {
    optax.GradientTransformationExtraArgs: TRANSFORMS,
    schedules.Schedule: SCHEDULES,
    control.ControlRule: CONTROLS,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_preset_is_under_contract(kind):
    found = {
        f"{framework}.{name}"
        for framework, package in FRAMEWORKS.items()
        for name, function in public_functions(package).items()
        if returns(function, kind)
    }
    assert found == set(KINDS[kind])


@pytest.mark.parametrize("name", CASES)
def test_every_float_argument_of_a_preset_is_swept(name):
    case = CASES[name]
    assert float_arguments(case.make) - set(NO_CLIPPING) == set(case.hyper)
    assert set(inspect.signature(case.make).parameters) == set(case.hyper) | set(case.static)
    assert ">>>" in (inspect.getdoc(case.make) or "")


@pytest.mark.parametrize(
    "law",
    [
        transforms_obey.test_bad_hyper_parameters_are_refused,
        transforms_obey.test_complex_leaves_are_refused,
        transforms_obey.test_schedules_are_hyper_parameters_and_start_at_zero,
        transforms_obey.test_vmap_over_each_hyper_parameter_equals_the_loop,
    ],
)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_rules_obey(law, name):
    law(TRANSFORMS[name])


@pytest.mark.parametrize("name", TRANSFORMS)
def test_state_does_not_depend_on_an_injected_value(name):
    """A Python 0 leaves a part out, but injected values are arrays first and tracers then."""
    case = TRANSFORMS[name]
    off = {key: 0.0 for key in ("weight_decay", "momentum") if key in case.hyper}
    values = {**case.static, **first_values(case), **off}
    params = transforms_obey.params_tree()
    injected = optax.inject_hyperparams(case.make, static_args=tuple(case.static))(**values)
    state = injected.init(params)
    updates, after = jax.jit(injected.update)(params, state, params)
    chex.assert_trees_all_equal_structs(after, state)
    plain = case.make(**values)
    want, _ = plain.update(params, plain.init(params), params)
    chex.assert_trees_all_close(updates, want, rtol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "law",
    [
        schedules_obey.test_value_is_a_finite_float32_scalar,
        schedules_obey.test_vmap_over_each_hyper_parameter_equals_the_loop,
        schedules_obey.test_bad_hyper_parameters_are_refused,
        schedules_obey.test_of_an_array_of_counts_it_is_the_array_of_its_values,
        schedules_obey.test_the_first_bad_count_of_an_array_is_named,
        schedules_obey.test_gradients_run_under_the_debugging_flags,
        schedules_obey.test_traced_lengths_work_or_are_refused_by_name,
        schedules_obey.test_lengths_of_zero_are_refused_by_name_or_give_numbers_traced_too,
    ],
)
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_obey(law, name):
    law(SCHEDULES[name])


@pytest.mark.slow
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_run_under_strict_promotion_and_the_debugging_flags(name, wide):
    schedules_obey.test_it_runs_under_strict_promotion_and_the_debugging_flags(
        SCHEDULES[name], wide
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "law",
    [
        controls_obey.test_outputs_and_state_keep_structure_shapes_and_dtypes,
        controls_obey.test_bad_hyper_parameters_are_refused,
        controls_obey.test_vmap_over_each_hyper_parameter_equals_the_loop,
        lambda case: controls_obey.test_runs_under_the_debug_flags_and_strict_dtype_promotion(
            case, jitted=False
        ),
    ],
)
@pytest.mark.parametrize("name", CONTROLS)
def test_control_rules_obey(law, name):
    law(CONTROLS[name])
