"""What shapes the program cannot be traced, and the error says so by name."""

import functools

import jax
import jax.numpy as jnp
import pytest

from jaxtricks import initializers, optimizers, presets, regularizers
from tests.untyped import untyped

FACTORIES = {
    name: getattr(initializers, name) for name in ("he", "lecun", "xavier", "fan_out", "fans")
}
STATIC = {
    **{
        f"{name}-{argument}": (argument, functools.partial(make, **{"shape": (4, 2)}))
        if name == "fans"
        else (argument, make)
        for name, make in FACTORIES.items()
        for argument in ("in_axis", "out_axis", "batch_axis", "groups")
    },
    "t_mul": ("t_mul", functools.partial(presets.keras.cosine_decay_restarts, 0.1, 10)),
}
FLAGS = {
    "amsgrad": functools.partial(optimizers.adam, 0.1),
    "nesterov": functools.partial(presets.torch.sgd, 0.1, momentum=0.9),
}


def message(call, value):
    with untyped(), pytest.raises(TypeError) as refused:
        jax.jit(lambda traced: call(traced) and None)(value)
    return str(refused.value).splitlines()[0]


@pytest.mark.parametrize("case", STATIC)
def test_an_integer_that_shapes_the_program_is_refused_by_name(case):
    argument, make = STATIC[case]
    got = message(lambda traced: make(**{argument: traced}), jnp.int32(1))
    assert got == f"{argument} must not be traced: make it a static argument of jit."


@pytest.mark.parametrize("flag", FLAGS)
def test_a_traced_flag_of_a_rule_is_no_matter_of_layers(flag):
    got = message(lambda traced: FLAGS[flag](**{flag: traced}), jnp.bool_(True))
    want = "must be a bool, got a traced value: name it in static_argnames of jit."
    assert got == f"{flag} {want}"


def test_train_of_a_layer_is_fixed_in_remat():
    layer = regularizers.Dropout(0.5)
    got = message(lambda train: layer.apply({}, jnp.ones(2), train=train), jnp.bool_(True))
    assert got.endswith("nn.remat(lambda layer, x: layer(x, train=train))(layer, x).")
