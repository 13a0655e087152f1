"""Penalties against closed forms, and their gradients against what the transformations add."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import optimizers, regularizers
from tests.untyped import untyped

PARAMS = {
    "Dense_0": {"kernel": jnp.array([[1.5, -0.5], [0.0, 2.0]]), "bias": jnp.array([3.0, -1.0])},
    "LayerNorm_0": {"scale": jnp.array([1.0, 2.0]), "bias": jnp.array([0.0, 4.0])},
}
PENALTIES = {
    "l1": regularizers.l1,
    "l2": regularizers.l2,
    "l2 whole": functools.partial(regularizers.l2, half=False),
    "elastic net": functools.partial(regularizers.elastic_net, ratio=0.7),
}
ADDED = {
    "l1": optimizers.add_l1,
    "l2": optimizers.add_l2,
    "l2 whole": functools.partial(optimizers.add_l2, half=False),
    "elastic net": functools.partial(optimizers.add_elastic_net, ratio=0.7),
}
ALL = {"l1": 15.0, "l2": 18.75, "l2 whole": 37.5, "elastic net": 15 + 0.7 * 37.5}  # of all entries
WEIGHTS = {"l1": 4.0, "l2": 3.25, "l2 whole": 6.5, "elastic net": 4 + 0.7 * 6.5}  # of the kernel


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("mask, sums", [(None, ALL), (optimizers.weights_only, WEIGHTS)])
def test_it_is_the_sum_over_what_the_mask_chooses(name, mask, sums):
    got = jax.jit(lambda strength: PENALTIES[name](PARAMS, strength, mask=mask))(0.3)
    assert float(got) == pytest.approx(0.3 * sums[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("mask", [None, optimizers.weights_only])
def test_its_gradient_is_what_the_transformation_adds(name, mask):
    """At 0 too, where the size has none."""
    slope = jax.jit(jax.grad(lambda params: PENALTIES[name](params, 0.3, mask=mask)))(PARAMS)
    tx = ADDED[name](0.3, mask=mask)
    zeros = jax.tree.map(jnp.zeros_like, PARAMS)
    added, _ = tx.update(zeros, tx.init(PARAMS), PARAMS)
    chex.assert_trees_all_close(slope, added, rtol=1e-6)


@pytest.mark.parametrize("name", PENALTIES)
def test_strengths_are_mapped_in_one_program(name):
    strengths = np.array([0.0, 0.1, 2.0], np.float32)
    got = jax.jit(jax.vmap(lambda strength: PENALTIES[name](PARAMS, strength)))(strengths)
    np.testing.assert_allclose(got, strengths * ALL[name], rtol=1e-6)


@pytest.mark.slow
def test_narrow_weights_are_added_up_in_single_precision():
    """4,000 weights of 1 / 16: their squares' sum in bfloat16 would stop at 1."""
    params = {"a": jnp.full(4000, 1 / 16, jnp.bfloat16), "b": jnp.ones(1)}
    with jax.numpy_dtype_promotion("strict"):
        got = regularizers.l2(params, 2.0)
    assert got.dtype == jnp.float32 and float(got) == pytest.approx(4000 / 256 + 1)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        wide = regularizers.l2({**params, "c": jnp.ones(2, jnp.float64)}, 2.0)
        assert wide.dtype == jnp.float64 and float(wide) == pytest.approx(4000 / 256 + 3)


def test_the_sum_with_one_strength_and_the_mean_with_the_other_have_one_minimum():
    """Ridge regression in closed form."""
    x, y = np.linspace(-1, 1, 20), np.linspace(-1, 1, 20) * 3 + 1

    def slope(w, strength, reduce):
        def loss(w):
            return reduce((w * x - y) ** 2) + regularizers.l2(w, strength, half=False)

        return float(jax.grad(loss)(jnp.float32(w)))

    w = np.sum(x * y) / (np.sum(x * x) + 0.4)
    assert slope(w, 0.4, jnp.sum) == pytest.approx(0, abs=1e-5)
    assert slope(w, regularizers.strength_for_mean(0.4, 20), jnp.mean) == pytest.approx(0, abs=1e-6)
    assert regularizers.strength_for_sum(0.02, 20) == pytest.approx(0.4)


@pytest.mark.parametrize("name", PENALTIES)
def test_bad_arguments_are_named(name):
    penalty = PENALTIES[name]
    for bad in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"strength must be .*got {bad}"):
            penalty(PARAMS, bad)
    with pytest.raises(ValueError, match="mask must choose a leaf of params, got 0 of 4"):
        penalty(PARAMS, 0.1, mask=False)
    with pytest.raises(ValueError, match="mask must choose a leaf of params, got 0 of 0"):
        penalty({}, 0.1)
    with untyped(), pytest.raises(TypeError, match=r"params\['w'\]"):
        penalty({"w": jnp.arange(3)}, 0.1)
    with untyped(), pytest.raises(TypeError, match="mask.* must be a bool, got 1"):
        penalty({"w": jnp.ones(3)}, 0.1, mask={"w": 1})


def test_bad_ratios_and_counts_are_named():
    with pytest.raises(ValueError, match="ratio must be .*got -1"):
        regularizers.elastic_net(PARAMS, 0.1, -1.0)
    with untyped(), pytest.raises(TypeError, match="half must be a bool, got 'no'"):
        regularizers.l2(PARAMS, 0.1, half="no")
    for convert in (regularizers.strength_for_mean, regularizers.strength_for_sum):
        with pytest.raises(ValueError, match="examples must be at least 1, got 0"):
            convert(0.1, 0)
        with pytest.raises(ValueError, match="strength must be .*got -1"):
            convert(-1.0, 10)
        with untyped(), pytest.raises(TypeError, match="examples must be an integer, got 2.5"):
            convert(0.1, 2.5)
