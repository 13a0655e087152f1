"""The rate per coordinate: times the gradient, it is the rule's own step."""

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

from jaxtricks import optimizers


@pytest.mark.parametrize("eps_inside", [False, True])
@pytest.mark.parametrize(
    "make, moment",
    [(optimizers.adagrad, "sum_of_squares"), (optimizers.rmsprop, "nu")],
)
def test_times_the_gradient_it_is_the_step(make, moment, eps_inside):
    tx = make(0.1, eps=1e-3, eps_inside=eps_inside)
    gradient = {"a": jnp.array([3.0, 0.0, -1e-4]), "b": (jnp.ones(()),)}
    state = tx.init(gradient)
    for _ in range(3):
        updates, state = tx.update(gradient, state)
    rates = optimizers.effective_learning_rate(
        0.1, optax.tree.get(state, moment), eps=1e-3, eps_inside=eps_inside
    )
    want = jax.tree.map(lambda rate, g: -rate * g, rates, gradient)
    chex.assert_trees_all_close(updates, want, rtol=1e-6)


@pytest.mark.slow
def test_coordinates_that_never_moved_have_no_rate_without_epsilon():
    rates = optimizers.effective_learning_rate(0.1, jnp.array([0.0, 1e-4]), eps=0.0)
    chex.assert_trees_all_close(rates, jnp.array([0.0, 10.0]), rtol=1e-6)
    slope = jax.grad(lambda r: optimizers.effective_learning_rate(0.1, r, eps=0.0).sum())(
        jnp.zeros(2)
    )
    chex.assert_tree_all_finite(slope)


def test_keeps_none_and_sweeps_the_rate():
    moment = {"a": jnp.ones(2, jnp.bfloat16), "b": None}
    rates = jax.vmap(lambda a: optimizers.effective_learning_rate(a, moment, eps=1.0))(
        jnp.array([0.2, 0.4])
    )
    chex.assert_trees_all_close(rates, {"a": jnp.array([[0.1, 0.1], [0.2, 0.2]]), "b": None})
    assert rates["a"].dtype == jnp.float32


@pytest.mark.parametrize("rate, eps, name", [(-1.0, 0.0, "learning_rate"), (1.0, -1.0, "eps")])
def test_bad_arguments(rate, eps, name):
    with pytest.raises(ValueError, match=name):
        optimizers.effective_learning_rate(rate, jnp.ones(1), eps=eps)
    with pytest.raises(TypeError, match="complex"):
        optimizers.effective_learning_rate(1.0, jnp.ones(1, jnp.complex64))
