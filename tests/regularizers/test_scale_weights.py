"""Scaled weights give what scaled activations give."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from jaxtricks.regularizers import Dropout, scale_weights

KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (6, 5))


class Net(nn.Module):
    """Two hidden layers; `rates` are those of the input and of the hidden units."""

    rates: tuple[float, ...]

    @nn.compact
    def __call__(self, x, *, train):
        for rate, width in zip(self.rates, (7, 8, 3), strict=True):
            x = Dropout(rate, inverted=False)(x, train=train)
            x = nn.Dense(width)(x)
            x = nn.relu(x) if width > 3 else x
        return x


@pytest.mark.slow
@pytest.mark.parametrize("rates", [(0.2, 0.5, 0.5), (0.0, 0.1, 0.9)])
def test_the_network_without_dropout_computes_the_evaluation_of_that_with_it(rates):
    variables = jax.jit(lambda: Net(rates).init(KEY, X, train=False))()
    biased = jax.tree.map(lambda leaf: leaf + 0.1, variables)
    folded = scale_weights(biased, {f"Dense_{i}": rate for i, rate in enumerate(rates)})
    want = jax.jit(lambda v: Net(rates).apply(v, X, train=False))(biased)
    got = jax.jit(lambda v: Net((0.0,) * 3).apply(v, X, train=False))(folded)
    chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-6)
    for i in range(3):
        chex.assert_trees_all_equal(
            folded["params"][f"Dense_{i}"]["bias"], biased["params"][f"Dense_{i}"]["bias"]
        )


def test_layers_inside_of_layers_and_other_collections():
    inner = {"Dense_0": {"kernel": jnp.ones((2, 2), jnp.bfloat16)}}
    variables = {"params": {"block": inner, "Dense_0": inner["Dense_0"]}, "batch_stats": {"m": 1.0}}
    got = scale_weights(variables, {"block": {"Dense_0": 0.75}})
    kernel = got["params"]["block"]["Dense_0"]["kernel"]
    assert kernel.dtype == jnp.bfloat16 and float(kernel[0, 0]) == 0.25
    assert got["params"]["Dense_0"] is variables["params"]["Dense_0"]
    assert got["batch_stats"] == {"m": 1.0}
    assert float(variables["params"]["block"]["Dense_0"]["kernel"][0, 0]) == 1  # as it was


def test_rates_may_be_traced():
    variables = {"params": {"a": {"kernel": jnp.ones((2, 2))}}}
    run = jax.jit(lambda rate: scale_weights(variables, {"a": rate})["params"]["a"]["kernel"][0, 0])
    assert [float(run(rate)) for rate in (0.0, 0.5, 1.0)] == [1.0, 0.5, 0.0]


@pytest.mark.parametrize(
    "rates, words",
    [
        ({"b": 0.5}, r"rates\['b'\] must name one of the layers \['a', 'deep'\], got 'b'"),
        ({"a": 1.5}, r"rates\['a'\] must be in .* got 1.5"),
        ({"deep": 0.5}, r"rates\['deep'\] must name a layer with a kernel, got \['inner'\]"),
        (
            {"deep": {"x": 0.5}},
            r"rates\['deep'\]\['x'\] must name one of the layers \['inner'\], got 'x'",
        ),
    ],
)
def test_bad_rates_are_named(rates, words):
    params = {"a": {"kernel": jnp.ones((1, 1))}, "deep": {"inner": {"kernel": jnp.ones((1, 1))}}}
    with pytest.raises(ValueError, match=words):
        scale_weights({"params": params}, rates)
    with pytest.raises(ValueError, match='variables must hold "params", got'):
        scale_weights(params, {})
