"""`present_units` names the units through which something of the examples that count passes."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks.regularizers import Dropout, StochasticDepth, present_units
from tests.untyped import untyped

WEIGHTS = np.array([0.5, 0.0, 2.0], np.float32)


class Twice(nn.Module):
    """One dropout layer called twice, as for the two halves of a pair."""

    @nn.compact
    def __call__(self, x, *, train):
        layer = Dropout(0.7)
        return layer(x, train=train) + layer(x, train=train)


@pytest.mark.parametrize(
    "layer, shape",
    [
        (Dropout(0.6), (3, 40)),
        (Dropout(0.6, mask_axes=(1,)), (3, 40)),
        (Dropout(0.6, mask_axes=(0, 3)), (3, 2, 2, 30)),
        (Dropout(0.9), (3, 2, 2, 30)),
        (Dropout(0.6, mask_axes=(0, 1)), (3, 2, 2, 5)),
        (StochasticDepth(0.8), (3, 4)),
        (Dropout(0.0), (3, 4)),
        (Dropout(1.0), (3, 4)),
        (Twice(), (3, 40)),
    ],
)
def test_a_unit_is_present_if_the_weighted_loss_depends_on_it(layer, shape):
    """Its slope by a factor on the unit is not 0, for random slopes of the outputs."""
    x, slopes = 1.0 + jax.random.uniform(jax.random.key(1), (2, *shape))
    weights = jnp.asarray(WEIGHTS).reshape(-1, *(1,) * (len(shape) - 1))

    def total(factor, key):
        y, sown = layer.apply({}, x * factor, train=True, rngs={"dropout": key}, mutable=["masks"])
        return jnp.sum(weights * slopes * y), present_units(sown["masks"], WEIGHTS)

    factor = jnp.ones((1,) * (len(shape) - 1) + shape[-1:])
    both = jax.jit(jax.vmap(jax.grad(total, has_aux=True), in_axes=(None, 0)))
    slope, present = both(factor, jax.random.split(jax.random.key(2), 20))
    slope = np.asarray(slope).reshape(20, -1) != 0
    np.testing.assert_array_equal(np.broadcast_to(present, slope.shape), slope)
    if isinstance(layer, Twice) or 0 < layer.rate < 1:
        assert 0 < slope.mean() < 1


def test_nothing_is_present_without_an_example():
    assert not present_units(jnp.ones((3, 2), bool), jnp.zeros(3)).any()
    assert present_units(jnp.ones((3, 2), bool), jnp.array([0, 0, jnp.nan])).all()


MASK = jnp.ones((3, 4), bool)


@pytest.mark.parametrize(
    "masks, weight, error, words",
    [
        ({}, WEIGHTS, ValueError, "masks must hold a mask, got none: .*'masks'"),
        (MASK[0], WEIGHTS, ValueError, r"masks must have the axes .* \(4,\) and \(3,\)"),
        ({"keep": (MASK[:2],)}, WEIGHTS, ValueError, r"masks\['keep'\]\[0\] must .* \(2, 4\)"),
        ((MASK, MASK[:, :3]), WEIGHTS, ValueError, r"masks must have the same .* \[4, 3\]"),
        (
            {"Dropout_0": {"keep": (MASK,)}, "Dropout_1": {"keep": (MASK,)}},
            WEIGHTS,
            ValueError,
            "masks must be those of one layer, got those of Dropout_0/keep, Dropout_1/keep",
        ),
        (MASK.astype(int), WEIGHTS, TypeError, "masks must be an array of bools"),
        (True, WEIGHTS, TypeError, "masks must be an array of bools, got True"),
        (MASK, WEIGHTS[None], ValueError, "weight must have one axis, .* got 2"),
        (MASK, 1.0, ValueError, "weight must have one axis, .* got 0"),
        (MASK, "all", TypeError, "weight must be an array of real numbers, got 'all'"),
    ],
)
def test_bad_masks_are_named(masks, weight, error, words):
    with untyped(), pytest.raises(error, match=words):
        present_units(masks, weight)
