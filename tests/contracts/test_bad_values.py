"""What people pass by mistake is refused by name: every public function, every argument.

Each argument of a legal call is replaced, one at a time, by each of a fixed list of values. What
its annotation cannot mean must raise an error that names the argument. What it may mean is allowed
or raises such an error too.
"""

import inspect
import re
import signal
import warnings

import jax.numpy as jnp
import optax
import pytest

from jaxtricks import averaging, schedules, surfaces, training
from tests.cases.bad_values import MEANT, VALUES, kinds
from tests.cases.calls import calls, model, room
from tests.contracts.test_api import FRAMEWORKS, OWN, is_layer, public_functions
from tests.data.tiny_set import write_tiny
from tests.untyped import untyped

PUBLIC = {
    f"{room(thing)}.{thing.__name__}"
    for package in (*OWN, *FRAMEWORKS)
    for thing in (*public_functions(package).values(), *filter(is_layer, vars(package).values()))
    if thing.__module__.startswith("jaxtricks.")
}
PARAMS = {"w": jnp.ones((2, 2)), "b": jnp.ones(2)}
REFUSALS = (ValueError, TypeError, OSError, ImportError)
OF_THE_CALLER = {"function", "class"}  # called, they raise errors of their own
SECONDS = 120
# What a function takes besides: it reads no values of these leaves, or documents the value.
ALSO_MEANT = {
    ("optimizers.weights_only", "params"): set(VALUES),
    ("optimizers.mask_by_path", "params"): set(VALUES),
    ("optimizers.weights_only", "exclude"): {
        "dict",
        "dict of text",
        "dict of functions",
        "array of text",
    },
    ("training.checkpoint.save", "metric"): {"nan", "infinity", "minus infinity"},
    ("training.checkpoint.save", "tree"): {"keys"},
    ("training.train_population", "keys"): {"keys"},
    ("training.train_population", "hyper_parameters"): {"keys"},
    ("training.train_population", "states"): {"keys"},
    ("tuning.retrain", "keys"): {"keys"},
}
# What the caller's model, loss or run is given: it may refuse in its own words what could be meant.
HANDED_ON = {
    ("averaging.measure_batch_norm", "examples"),
    ("averaging.monte_carlo_predictions", "variables"),
    ("averaging.monte_carlo_predictions", "x"),
    ("averaging.recalibrate_batch_norm", "examples"),
    ("probes.dead_units", "variables"),
    ("probes.layer_gradients", "variables"),
    ("probes.layer_values", "variables"),
    ("training.train_epoch", "examples"),
    ("training.train_population", "hyper_parameters"),
    ("training.train_population", "states"),
    ("tuning.retrain", "hyper_parameters"),
}


def test_every_public_function_and_layer_is_called():
    assert set(calls()) == PUBLIC


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_the_call_itself_is_legal(name, folder):
    function, arguments = calls()[name]
    use(function, arguments)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_bad_values_are_refused_by_name(name, folder):
    function, arguments = calls()[name]
    with untyped(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert list(problems(name, function, arguments)) == []


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A data set to export."""
    folder = tmp_path_factory.mktemp("prepared")
    write_tiny(folder)
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch, prepared):
    """A folder with what the calls read; a call that hangs ends."""
    monkeypatch.chdir(tmp_path)
    training.save("saved", {"params": jnp.ones(3)}, step=1)
    (tmp_path / "in").symlink_to(prepared)

    def late(*_):
        raise AssertionError(f"not done after {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def problems(name, function, arguments):
    """What is accepted but cannot be meant, and what is refused without the argument's name."""
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name not in arguments or parameter.kind in VARIADIC:
            continue
        meant = set().union(*(MEANT[kind] for kind in kinds(parameter.annotation)))
        meant |= ALSO_MEANT.get((name, parameter.name), set())
        for label, value in VALUES.items():
            where = f"{parameter.name}={label}"
            try:
                use(function, {**arguments, parameter.name: value})
            except Exception as error:
                handed_on = OF_THE_CALLER if (name, parameter.name) not in HANDED_ON else meant
                if label in handed_on & meant:
                    continue
                names = [parameter.name, "entry" if isinstance(value, dict) else parameter.name]
                names += [value] if isinstance(value, str) else []
                named = any(re.search(rf"\b{re.escape(one)}\b", str(error)) for one in names)
                if not isinstance(error, REFUSALS) or not named:
                    yield f"{where}: {type(error).__name__}: {error}"
            else:
                if label not in meant:
                    yield f"{where} was accepted"


VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def use(function, arguments):
    """Calls the function, and what it makes."""
    given = dict(arguments)
    positional = []
    if "args" in given:
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                break
            positional.append(given.pop(parameter.name))
        positional += given.pop("args")
        given |= given.pop("kwargs")
    made = function(*positional, **given)
    if isinstance(made, optax.GradientTransformation):
        tx = optax.with_extra_args_support(made)
        tx.update(PARAMS, tx.init(PARAMS), PARAMS, value=1.0, keep=True)
    elif isinstance(made, averaging.Averager):
        made.update(PARAMS, made.init(PARAMS))
    elif isinstance(made, training.Trainer):
        made.init(model()[1])
    elif isinstance(made, surfaces.Surface):
        made.loss(made.start)
    elif inspect.isgenerator(made):
        next(made, None)
    elif inspect.signature(function).return_annotation == schedules.Schedule:
        made(3)
