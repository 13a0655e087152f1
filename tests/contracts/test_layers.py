"""Laws 1, 2, 4, 6 and 7 for every layer of the table `LAYERS`; the table is complete."""

import dataclasses
import typing

import pytest

import jaxtricks
from jaxtricks._types import ScalarLike
from tests.cases.layers import LAYERS
from tests.contracts import flax_laws
from tests.contracts import layer_laws as laws
from tests.contracts.test_api import ROOMS, is_layer

GENERAL = [
    laws.train_is_keyword_only_without_default,
    laws.evaluation_draws_nothing_and_changes_nothing,
    laws.training_draws_from_its_own_stream_only,
    laws.a_sharded_batch_gives_the_numbers_of_one_device,
    laws.gradients_are_finite_at_both_ends,
    laws.it_computes_in_its_dtype_with_single_precision_variables,
    flax_laws.transformed_layers_give_the_numbers_of_plain_ones,
    flax_laws.a_scanned_stack_equals_the_loop,
    flax_laws.it_works_in_nnx,
    laws.bad_fields_and_inputs_are_named,
    laws.its_docstring_names_every_field_and_has_an_example,
]
STOCHASTIC = [
    laws.masks_differ_by_example_step_call_and_layer,
    laws.old_style_keys_draw_the_masks_of_typed_ones,
]
PROBED = flax_laws.probes_see_transformed_layers_like_plain_ones
ESTIMATED = flax_laws.batch_norm_is_estimated_in_transformed_layers_as_in_plain_ones
LARGE = ("ResNet", "SmallCNN")  # to compile


def is_slow(law, name):
    return name in LARGE or law in (PROBED, ESTIMATED)


CASES = [
    *((law, name) for name in LAYERS for law in GENERAL),
    *((law, name) for name, row in LAYERS.items() if row.draws for law in STOCHASTIC),
    *((PROBED, name) for name in LAYERS),
    *((ESTIMATED, name) for name, row in LAYERS.items() if row.normalizes),
    *((laws.vmap_over_each_float_field_equals_the_loop, n) for n, r in LAYERS.items() if r.hyper),
]


@pytest.mark.parametrize(
    "law, name",
    [
        pytest.param(law, name, marks=pytest.mark.slow if is_slow(law, name) else ())
        for law, name in CASES
    ],
    ids=[f"{name}-{law.__name__}" for law, name in CASES],
)
def test_every_layer_obeys(law, name):
    law(LAYERS[name])


def test_every_layer_is_under_contract():
    packages = [getattr(jaxtricks, room) for room in ROOMS]
    layers = {thing for package in packages for thing in vars(package).values() if is_layer(thing)}
    assert layers == {row.make for row in LAYERS.values()}


@pytest.mark.parametrize("name", LAYERS)
def test_every_field_of_a_layer_is_swept_or_set(name):
    row = LAYERS[name]
    fields = {f.name: f.type for f in dataclasses.fields(row.make) if f.name not in HIDDEN}
    floats = {name for name, kind in fields.items() if is_scalar(kind)}
    assert floats == set(row.hyper)
    assert set(fields) == set(row.hyper) | set(row.static)
    assert set(row.ends) <= set(row.hyper)


def is_scalar(kind):
    """Whether an annotation allows every scalar, alone or among others."""
    return kind is ScalarLike or ScalarLike in typing.get_args(kind)


HIDDEN = ("parent", "name")  # every Flax module has them
