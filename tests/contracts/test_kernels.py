"""Laws 2, 4, 6 and 7 for every pure function of the table `KERNELS`; the table is complete."""

import inspect

import pytest

from jaxtricks import models, normalization, regularizers
from tests.cases.layers import KERNELS
from tests.contracts import kernel_laws as laws
from tests.contracts.test_api import is_layer, public_functions

GENERAL = [
    laws.jit_vmap_and_sharding_agree_with_the_plain_call,
    laws.vmap_over_each_float_argument_equals_the_loop,
    laws.gradients_are_finite_at_both_ends,
    laws.dtypes_stay_under_strict_promotion,
    laws.narrow_numbers_are_computed_in_single_precision,
    laws.bad_arguments_are_named,
    laws.its_signature_and_docstring_are_complete,
]
CASES = [
    *((law, name) for name in KERNELS for law in GENERAL),
    *((laws.masks_differ_by_key_and_example, name) for name, row in KERNELS.items() if row.key),
]


@pytest.mark.parametrize("law, name", CASES, ids=[f"{n}-{law.__name__}" for law, n in CASES])
def test_every_kernel_obeys(law, name):
    law(KERNELS[name])


def test_every_kernel_is_under_contract():
    """Whatever takes arrays, not trees, and makes neither a module nor, as a block of `MLP` does,
    several, is one."""
    kernels = {
        function
        for room in (regularizers, normalization, models)
        for function in public_functions(room).values()
        if takes_arrays(function)
        and not is_layer(inspect.signature(function).return_annotation)
        and not is_block(function)
    }
    assert kernels == {row.function for row in KERNELS.values()}


def takes_arrays(function):
    """One of its parameters has a type such as `Float[Array, "batch"]`."""
    parameters = inspect.signature(function).parameters.values()
    return any(hasattr(parameter.annotation, "array_type") for parameter in parameters)


def is_block(function):
    first, *_ = inspect.signature(function).parameters.values()
    return first.annotation is models.HiddenLayer
