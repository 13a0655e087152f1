"""The public names obey the house's rules, and the case tables are complete."""

import ast
import inspect
import pathlib
import pkgutil

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxtricks
from jaxtricks import control, optimizers, presets, schedules
from tests.cases.control import CONTROLS
from tests.cases.schedules import SCHEDULES
from tests.cases.transforms import TRANSFORMS
from tests.untyped import untyped

ROOMS = [m.name for m in pkgutil.iter_modules(jaxtricks.__path__) if not m.name.startswith("_")]


def public_functions(package):
    return {n: f for n, f in vars(package).items() if inspect.isfunction(f) and n[0] != "_"}


def returns(function, kind):
    return inspect.signature(function).return_annotation == kind


def float_arguments(function):
    """Names of the arguments annotated as scalars, or as scalars that may be schedules."""
    parameters = inspect.signature(function).parameters.values()
    scalar = schedules.value_at.__annotations__["count"]
    hyper_parameter = schedules.ScalarOrSchedule
    kinds = (scalar, scalar | None, hyper_parameter, hyper_parameter | None)
    return {p.name for p in parameters if p.annotation in kinds}


def test_every_gradient_transformation_is_under_contract():
    factories = {
        name
        for name, function in public_functions(optimizers).items()
        if returns(function, optax.GradientTransformationExtraArgs)
    }
    assert factories == set(TRANSFORMS)


def test_every_schedule_is_under_contract():
    factories = {
        name
        for name, function in public_functions(schedules).items()
        if returns(function, schedules.Schedule)
    }
    assert factories == set(SCHEDULES)


def test_every_control_rule_is_under_contract():
    factories = {
        name
        for name, function in public_functions(control).items()
        if returns(function, control.ControlRule)
    }
    assert factories == set(CONTROLS)


@pytest.mark.parametrize("name", CONTROLS)
def test_every_float_hyper_parameter_of_a_control_rule_is_swept(name):
    case = CONTROLS[name]
    assert float_arguments(case.make) == set(case.hyper)
    parameters = set(inspect.signature(case.make).parameters)
    assert parameters == set(case.hyper) | set(case.static)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_float_hyper_parameter_of_a_transformation_is_swept(name):
    case = TRANSFORMS[name]
    assert float_arguments(case.make) == set(case.hyper)
    parameters = set(inspect.signature(case.make).parameters)
    assert parameters == set(case.hyper) | set(case.static)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_float_hyper_parameter_of_a_schedule_is_swept(name):
    case = SCHEDULES[name]
    assert float_arguments(case.make) == set(case.hyper)
    parameters = set(inspect.signature(case.make).parameters)
    assert parameters == set(case.hyper) | set(case.static)


def test_numpy_bools_are_bools():
    with untyped():
        assert optimizers.adam(0.1, eps_hat=np.bool_(True))


@pytest.mark.parametrize("room", ROOMS)
def test_public_functions_are_documented_and_named_by_the_rules(room):
    package = __import__(f"jaxtricks.{room}", fromlist=["_"])
    for name, function in public_functions(package).items():
        doc = inspect.getdoc(function) or ""
        assert ">>>" in doc, f"{room}.{name} has no example"
        parameters = list(inspect.signature(function).parameters.values())
        if name.startswith("random_"):
            assert parameters[0].name == "key", f"{room}.{name}"
        for parameter in parameters:
            if parameter.name == "train" and parameter.annotation is bool:
                assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
                assert parameter.default is inspect.Parameter.empty


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_function_and_layer_is_used_in_the_tests_of_its_room(room):
    package = __import__(f"jaxtricks.{room}", fromlist=["_"])
    layers = [name for name, thing in vars(package).items() if is_layer(thing)]
    folder = pathlib.Path(__file__).parents[1]
    files = [*(folder / "cases").glob("*.py"), *(folder / room).glob("*.py")]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    used = {getattr(node, "attr", getattr(node, "id", None)) for node in nodes}
    assert {*public_functions(package), *layers} <= used


def is_layer(thing):
    return inspect.isclass(thing) and issubclass(thing, nn.Module)


def test_updates_of_a_python_number_work():
    tx = optimizers.adam(0.1)
    updates, _ = tx.update(1.0, tx.init(0.0))
    assert jnp.isclose(updates, -0.1) and isinstance(updates, jax.Array)


OWN = [getattr(jaxtricks, room) for room in ROOMS]
FRAMEWORKS = (presets.torch, presets.keras)  # with the argument order of the frameworks


def own_functions(packages):
    for package in packages:
        for name, function in public_functions(package).items():
            if function.__module__.startswith("jaxtricks."):
                yield pytest.param(function, id=f"{package.__name__}.{name}")


@pytest.mark.parametrize("function", list(own_functions(OWN)))
def test_defaults_are_keyword_only_past_the_first_argument_and_a_key_comes_first(function):
    parameters = list(inspect.signature(function).parameters.values())
    for parameter in parameters[1:]:
        by_position = parameter.kind is not parameter.KEYWORD_ONLY
        assert parameter.default is parameter.empty or not by_position, parameter.name
        assert parameter.name != "key" or not by_position
    assert not parameters or parameters[0].name != "key" or parameters[0].default is inspect._empty


@pytest.mark.parametrize("function", list(own_functions([*OWN, *FRAMEWORKS])))
def test_help_shows_types_by_their_names(function):
    """A union of seven members for each number hides the arguments between them."""
    text = str(inspect.signature(function))
    assert "numpy.bool" not in text and "SupportsDType" not in text
    assert len(text) < 800  # that of `fit`, which has most arguments


VAGUE = {"whole", "kept", "moved", "known", "spread"}


def names_in(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg


def test_names_say_what_they_name():
    for path in pathlib.Path(jaxtricks.__file__).parent.rglob("*.py"):
        for name in names_in(ast.parse(path.read_text())):
            assert not VAGUE & set(name.split("_")), f"{path}: {name}"
