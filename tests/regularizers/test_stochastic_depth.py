"""Stochastic depth: whole examples stay or go, and blocks keep their mean."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks.regularizers import Dropout, StochasticDepth, stochastic_depth
from tests.untyped import untyped

KEY = jax.random.key(0)


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.9])
def test_examples_stay_whole_or_go_and_the_mean_is_kept(rate):
    x = jnp.linspace(1, 2, 6).reshape(1, 2, 3) * jnp.ones((40_000, 1, 1))
    y = np.asarray(jax.jit(stochastic_depth)(KEY, x, rate))
    kept = y[:, 0, 0] != 0
    keep = round((1 - np.float32(rate).item()) * 2**16) / 2**16
    np.testing.assert_allclose(y, np.where(kept[:, None, None], x / keep, 0), rtol=1e-5)
    assert abs(kept.mean() - keep) < 4 * (keep * (1 - keep) / 40_000) ** 0.5


def test_it_is_dropout_with_a_draw_for_each_example():
    x = jax.random.normal(KEY, (8, 3, 4))
    for inverted in (True, False):
        got = stochastic_depth(KEY, x, 0.4, inverted=inverted)
        want = dropout_by_example(x, inverted)
        chex.assert_trees_all_equal(got, want)


def dropout_by_example(x, inverted):
    layer = Dropout(0.4, mask_axes=(0,), inverted=inverted)
    got = layer.apply({}, x, train=True, rngs={"dropout": KEY}, mutable=["masks"])
    (mask,) = got[1]["masks"]["keep"]
    scale = 2**16 / round(0.6 * 2**16) if inverted else 1.0
    again = np.asarray(stochastic_depth(KEY, jnp.ones((8, 3, 4)), 0.4, inverted=inverted))
    assert mask.shape == (8, 1, 1) and set(np.unique(again)) <= {np.float32(0), np.float32(scale)}
    return x * again


def test_the_papers_form_is_scaled_in_evaluation():
    x = jnp.ones((4, 2))
    chex.assert_trees_all_equal(StochasticDepth(0.5).apply({}, x, train=False), x)
    paper = StochasticDepth(0.5, inverted=False)
    chex.assert_trees_all_equal(paper.apply({}, x, train=False), x / 2)
    y = paper.apply({}, x, train=True, rngs={"dropout": KEY})
    assert set(np.unique(np.asarray(y))) <= {0.0, 1.0}


def test_bad_inputs_are_named():
    with untyped():
        with pytest.raises(ValueError, match="x must have a batch axis, got an array without axes"):
            stochastic_depth(KEY, jnp.float32(1), 0.5)
        with pytest.raises(ValueError, match="x must have a batch axis, got an array without axes"):
            StochasticDepth(0.5).apply({}, jnp.float32(1), train=False)
        with pytest.raises(TypeError, match="inverted must be a bool, got 1"):
            StochasticDepth(0.5, inverted=1)
