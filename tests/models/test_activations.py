"""The notes' activations, JAX's own but for one, against closed forms of value and slope."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import models
from tests.untyped import untyped

POINTS = (-1000.0, -3.0, -1e-3, 1e-3, 0.5, 3.0, 1000.0)


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


FORMS = {
    "sigmoid": (jax.nn.sigmoid, sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    "tanh": (jnp.tanh, math.tanh, lambda x: 1 - math.tanh(x) ** 2),
    "relu": (jax.nn.relu, lambda x: max(0.0, x), lambda x: float(x > 0)),
    "leaky": (models.leaky_relu, lambda x: max(0.1 * x, x), lambda x: 1.0 if x > 0 else 0.1),
    "elu": (
        lambda x: jax.nn.elu(x, 2.0),
        lambda x: x if x >= 0 else 2 * math.expm1(x),
        lambda x: 1.0 if x >= 0 else 2 * math.exp(x),
    ),
    "none": (jax.nn.identity, lambda x: x, lambda x: 1.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMS)
def test_values_and_slopes_are_those_of_the_closed_form_and_finite(name):
    f, value, slope = FORMS[name]
    points = jnp.array(POINTS)
    np.testing.assert_allclose(f(points), [value(x) for x in POINTS], rtol=1e-5, atol=1e-7)
    got = jax.vmap(jax.grad(f))(points)
    np.testing.assert_allclose(got, [slope(x) for x in POINTS], rtol=1e-4, atol=1e-7)


def test_the_slope_of_relu_at_zero_is_zero():
    assert float(jax.grad(jax.nn.relu)(0.0)) == 0.0


def test_slopes_may_be_mapped_and_keep_the_dtype():
    x = jnp.array([-1.0, 2.0], jnp.bfloat16)
    assert models.leaky_relu(jnp.array([-25, 3])).tolist() == [-2.5, 3.0]
    got = jax.vmap(lambda slope: models.leaky_relu(x, slope=slope))(jnp.array([0.0, 0.5, 1.0]))
    assert got.dtype == jnp.bfloat16
    assert got.tolist() == [[0.0, 2.0], [-0.5, 2.0], [-1.0, 2.0]]


@pytest.mark.parametrize("slope", [-0.1, 1.1, float("nan")])
def test_a_bad_slope_is_named(slope):
    with untyped(), pytest.raises(ValueError, match=f"slope .* got {slope}"):
        models.leaky_relu(jnp.ones(2), slope=slope)
