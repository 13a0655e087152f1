"""Faulty layers, each of which breaks the law that is named with it: the laws can fail."""

import itertools
from typing import Any

import flax.errors
import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from _pytest.outcomes import Failed

from jaxtricks.regularizers import dropout
from tests.cases.layers import ROWS, Layer, by_field
from tests.contracts import flax_laws
from tests.contracts import layer_laws as laws


class Planted(nn.Module):
    """Has no word about its field, and no example.

    Attributes:
        none: is named.
    """

    rate: float = 0.5

    def dropped(self, x):
        if not self.has_rng("dropout"):
            raise ValueError("it needs a key")
        return dropout(self.make_rng("dropout"), x, self.rate)


class TrainByDefault(Planted):
    def __call__(self, x, *, train: bool = False):
        return self.dropped(x) if train else x


class TrainByPosition(Planted):
    def __call__(self, x, train: bool):
        return self.dropped(x) if train else x


class DrawsFromParams(Planted):
    """Flax takes the stream `"params"` where another is missing."""

    def __call__(self, x, *, train):
        return dropout(self.make_rng("dropout"), x, self.rate) if train else x


class Unchecked(Planted):
    """Nothing is checked, and at a rate of 1 it divides by 0."""

    def __call__(self, x, *, train):
        if not train:
            return x
        keep = jax.random.bernoulli(self.make_rng("dropout"), 1 - self.rate, x.shape)
        return jnp.where(keep, x / (1 - self.rate), 0)


class ChecksFieldsOnly(Planted):
    def __post_init__(self):
        if isinstance(self.rate, str):
            raise TypeError(f"rate must be a number, got {self.rate!r}")
        if not isinstance(self.rate, jax.core.Tracer) and not 0 <= self.rate <= 1:
            raise ValueError(f"rate must be in [0, 1], got {self.rate}")
        super().__post_init__()

    def __call__(self, x, *, train):
        return self.dropped(x) if train else x


class OneMaskForAllExamples(Planted):
    def __call__(self, x, *, train):
        return x * self.dropped(jnp.ones_like(x[:1])) if train else x


class OneMaskForEver(Planted):
    def __call__(self, x, *, train):
        return dropout(jax.random.key(7), x, self.rate) if train else x


class OneMaskForAllLayers(Planted):
    """Draws by the stream's key itself, not by one for its own path."""

    def __call__(self, x, *, train):
        if not train or self.scope is None:
            return x
        return dropout(jax.tree.leaves(self.scope.rngs["dropout"])[0], x, self.rate)


class DrawsInEvaluation(Planted):
    def __call__(self, x, *, train):
        return self.dropped(x) if self.has_rng("dropout") else x


class NeedsAKeyInEvaluation(Planted):
    def __call__(self, x, *, train):
        y = dropout(self.make_rng("dropout"), x, self.rate)
        return y if train else x


class StaticRate(Planted):
    def __call__(self, x, *, train):
        return x * (1 - float(self.rate)) if train else x


class AlwaysSingle(Planted):
    def __call__(self, x, *, train):
        return (self.dropped(x) if train else x).astype(jnp.float32)


class MovesInEvaluation(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        mean = self.variable("batch_stats", "mean", jnp.zeros, x.shape[-1:])
        if not self.is_initializing():
            mean.value = jnp.mean(x, 0)
        return x


class NarrowStatistics(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        mean = self.variable("batch_stats", "mean", jnp.zeros, x.shape[-1:])
        if train:
            mean.value = jnp.mean(x, 0)
        return x


class NarrowParameters(nn.Module):
    dtype: Any = None

    @nn.compact
    def __call__(self, x, *, train):
        scale = self.param("scale", nn.initializers.ones, x.shape[-1:], self.dtype)
        return x.astype(self.dtype) * scale[None]


class Promotes(nn.Module):
    """Computes in float32 what it then gives in its dtype, with its input as it came."""

    dtype: Any = None

    @nn.compact
    def __call__(self, x, *, train):
        scale = self.param("scale", nn.initializers.ones, x.shape[-1:], jnp.float32)
        return (x * scale[None]).astype(self.dtype)


class CountsItsTraces(nn.Module):
    """Its numbers depend on how often Python has run it."""

    def __call__(self, x, *, train):
        return x * (1 + next(TRACES))


TRACES = itertools.count()
UNEQUAL = "not equal|differ"
FAULTS = [
    (TrainByDefault, laws.train_is_keyword_only_without_default, "False"),
    (TrainByPosition, laws.train_is_keyword_only_without_default, "KEYWORD"),
    (DrawsFromParams, laws.training_draws_from_its_own_stream_only, "DID NOT RAISE"),
    (Unchecked, laws.gradients_are_finite_at_both_ends, "finite"),
    (Unchecked, laws.bad_fields_and_inputs_are_named, "DID NOT RAISE"),
    (ChecksFieldsOnly, laws.bad_fields_and_inputs_are_named, "DID NOT RAISE .*TypeError"),
    (OneMaskForAllExamples, laws.masks_differ_by_example_step_call_and_layer, "equal examples"),
    (OneMaskForEver, laws.masks_differ_by_example_step_call_and_layer, "two keys"),
    (OneMaskForAllLayers, laws.masks_differ_by_example_step_call_and_layer, "two calls"),
    (OneMaskForEver, flax_laws.transformed_layers_give_the_numbers_of_plain_ones, "two keys"),
    (DrawsInEvaluation, laws.evaluation_draws_nothing_and_changes_nothing, UNEQUAL),
    (NeedsAKeyInEvaluation, laws.evaluation_draws_nothing_and_changes_nothing, "needs PRNG"),
    (MovesInEvaluation, laws.evaluation_draws_nothing_and_changes_nothing, "moved"),
    (
        CountsItsTraces,
        flax_laws.transformed_layers_give_the_numbers_of_plain_ones,
        UNEQUAL,
    ),
    (CountsItsTraces, flax_laws.a_scanned_stack_equals_the_loop, UNEQUAL),
    (CountsItsTraces, flax_laws.it_works_in_nnx, UNEQUAL),
    (StaticRate, laws.vmap_over_each_float_field_equals_the_loop, "Abstract tracer"),
    (AlwaysSingle, laws.it_computes_in_its_dtype_with_single_precision_variables, "dtype"),
    (NarrowStatistics, laws.it_computes_in_its_dtype_with_single_precision_variables, "all"),
    (NarrowParameters, laws.it_computes_in_its_dtype_with_single_precision_variables, "all"),
    (Promotes, laws.it_computes_in_its_dtype_with_single_precision_variables, "implicit dtype"),
    (Planted, laws.its_docstring_names_every_field_and_has_an_example, ">>>"),
]
BROKEN = (
    AssertionError,
    Failed,
    flax.errors.InvalidRngError,
    jax.errors.ConcretizationTypeError,
    jax.dtypes.TypePromotionError,
)


def row_of(make):
    if not issubclass(make, Planted):
        in_dtype = by_field if "dtype" in make.__annotations__ else None
        return Layer(make, ROWS, normalizes=True, in_dtype=in_dtype)
    rates = {"rate": (0.5, 0.3)}
    return Layer(make, ROWS, hyper=rates, ends={"rate": (0.0, 1.0)}, draws=True)


@pytest.mark.parametrize(
    "make, law, message", FAULTS, ids=[f"{make.__name__}-{law.__name__}" for make, law, _ in FAULTS]
)
def test_a_planted_fault_is_found(make, law, message):
    with pytest.raises(BROKEN, match=message):
        law(row_of(make))
