"""AdaGrad against the closed form of a constant gradient, and against optax's two departures."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import optimizers
from tests.trajectories import updates_of


@pytest.mark.parametrize("gradient", [100.0, -1.0, 1e-3])
@pytest.mark.parametrize("start", [0.0, 0.1])
@pytest.mark.parametrize("eps_inside", [False, True])
def test_constant_gradient_has_a_closed_form(gradient, start, eps_inside):
    """r_t = r_0 + t g^2."""
    eps, t = 1e-5, np.arange(1, 51)
    r = start + t * gradient**2
    want = gradient / (np.sqrt(r + eps) if eps_inside else np.sqrt(r) + eps)
    rule = optimizers.scale_by_adagrad(eps=eps, eps_inside=eps_inside, initial_accumulator=start)
    got = updates_of(rule, jnp.full((50, 1), gradient))[:, 0]
    chex.assert_trees_all_close(got, jnp.asarray(want, jnp.float32), rtol=3e-6)


def test_step_is_one_over_root_t():
    """The rate of a constant gradient falls to 0, whatever its size (002:381-394)."""
    got = updates_of(optimizers.adagrad(1.0, eps=0.0), jnp.full((100, 1), 7.0))[:, 0]
    chex.assert_trees_all_close(got, -1 / jnp.sqrt(jnp.arange(1.0, 101.0)), rtol=3e-6)


@pytest.mark.parametrize(
    "convention, want",
    [
        ({"eps": 1e-7}, 0.990),
        ({"eps": 1e-7, "eps_inside": True}, 0.0316),
        ({"eps": 1e-6, "eps_inside": True}, 0.0100),
    ],
)
def test_place_of_epsilon_decides_the_step_of_a_small_gradient(convention, want):
    """E-19: at g = 1e-5 an epsilon inside acts like its root outside; at 1e-2 all agree."""
    rule = optimizers.scale_by_adagrad(**convention)
    small, large = updates_of(rule, jnp.array([[1e-5, 1e-2]]))[0]
    assert small == pytest.approx(want, rel=2e-3)
    assert large == pytest.approx(1.0, rel=5e-3)


def test_optax_starts_at_a_tenth_and_has_epsilon_inside():
    """S-LIB-01 and E-42: its first unit step is 0.953, and no option gives 002's form."""
    theirs = optax.adagrad(1.0)
    ours = optimizers.adagrad(1.0)
    gradients = jnp.array([[1.0]])
    assert updates_of(theirs, gradients)[0, 0] == pytest.approx(-0.9535, abs=1e-4)
    assert updates_of(ours, gradients)[0, 0] == pytest.approx(-1.0, abs=1e-6)
    small = jnp.array([[1e-5]])
    from_zero = optax.adagrad(1.0, initial_accumulator_value=0.0, eps=1e-7)
    assert updates_of(from_zero, small)[0, 0] == pytest.approx(-0.0316, abs=1e-4)
    assert updates_of(ours, small)[0, 0] == pytest.approx(-0.990, abs=1e-3)


def test_equals_optax_where_conventions_meet():
    gradients = jax.random.normal(jax.random.key(0), (50, 8))
    ours = optimizers.scale_by_adagrad(eps=1e-3, eps_inside=True, initial_accumulator=0.1)
    theirs = optax.scale_by_rss(0.1, eps=1e-3)
    chex.assert_trees_all_close(
        updates_of(ours, gradients), updates_of(theirs, gradients), rtol=1e-5
    )


@pytest.mark.parametrize("name, bad", [("eps", -1e-9), ("initial_accumulator", -0.1)])
def test_hyper_parameters_out_of_range(name, bad):
    with pytest.raises(ValueError, match=rf"{name} must be in \[0.0, inf\), got {bad}"):
        optimizers.adagrad(0.1, **{name: bad})
