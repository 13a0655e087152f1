"""RMSProp against closed forms of a constant gradient, and against optax's chains."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import optimizers
from tests.trajectories import updates_of

GRADIENTS = jax.random.normal(jax.random.key(0), (60, 8))


@pytest.mark.slow
@pytest.mark.parametrize("start", [0.0, 0.1])
@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("eps_inside", [False, True])
def test_constant_gradient_has_a_closed_form(corrected, eps_inside, start):
    """r_t = g^2 (1 - rho^t) + r_0 rho^t."""
    g, rho, eps, t = 0.01, 0.9, 1e-3, np.arange(1, 41)
    r = (g**2 * (1 - rho**t) + start * rho**t) / ((1 - rho**t) if corrected else 1)
    want = g / (np.sqrt(r + eps) if eps_inside else np.sqrt(r) + eps)
    rule = optimizers.scale_by_rmsprop(
        rho,
        eps=eps,
        eps_inside=eps_inside,
        bias_correction=corrected,
        initial_accumulator=start,
    )
    got = updates_of(rule, jnp.full((40, 1), g))[:, 0]
    chex.assert_trees_all_close(got, jnp.asarray(want, jnp.float32), rtol=3e-6)


def test_variance_of_a_constant_gradient_has_a_closed_form():
    """r_t - m_t^2 = g^2 rho^t (1 - rho^t): at t = 90 a difference in the fifth digit."""
    g, rho, t = 2.0, 0.9, np.arange(1, 91)
    want = 1 / np.sqrt(rho**t * (1 - rho**t))
    options = {"eps": 0.0, "centered": True}
    rule = optimizers.scale_by_rmsprop(rho, **options, keep_gradient=True)
    got = updates_of(rule, jnp.full((90, 1), g))[:, 0]
    chex.assert_trees_all_close(got, jnp.asarray(want, jnp.float32), rtol=3e-6)
    few = updates_of(optimizers.scale_by_rmsprop(rho, **options), jnp.full((90, 1), g))[:, 0]
    chex.assert_trees_all_close(few[:30], jnp.asarray(want[:30], jnp.float32), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("keep_gradient", [False, True])
def test_centered_never_takes_the_root_of_a_negative_variance(keep_gradient):
    """Under constant gradients a rounded r - m^2 may fall below 0; ours tends to g / eps."""
    gradients = jnp.broadcast_to(jnp.linspace(0.1, 3.0, 30), (300, 30))
    ours = optimizers.scale_by_rmsprop(0.9, eps=1e-3, centered=True, keep_gradient=keep_gradient)
    got = updates_of(ours, gradients)
    assert jnp.all(jnp.isfinite(got))
    assert jnp.all(jnp.abs(got) <= gradients / 1e-3 * (1 + 1e-5))


@pytest.mark.parametrize("centered, kept", [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("eps_inside", [False, True])
def test_equals_optax_in_every_convention(eps_inside, corrected, centered, kept):
    ours = optimizers.scale_by_rmsprop(
        0.9,
        eps=1e-2,
        eps_inside=eps_inside,
        bias_correction=corrected,
        centered=centered,
        keep_gradient=kept,
        initial_accumulator=0.1,
    )
    make = optax.scale_by_stddev if centered else optax.scale_by_rms
    theirs = make(0.9, 1e-2, 0.1, eps_in_sqrt=eps_inside, bias_correction=corrected)
    got, want = updates_of(ours, GRADIENTS), updates_of(theirs, GRADIENTS)
    chex.assert_trees_all_close(got, want, rtol=1e-4)


def falling(count):
    return 0.1 / (1.0 + count)


@pytest.mark.slow
@pytest.mark.parametrize("lr_inside", [False, True])
def test_velocity_with_the_rate_inside_and_outside(lr_inside):
    """Keras and optax have the rate inside, PyTorch outside; they part when it falls."""
    ours = optimizers.rmsprop(
        falling, decay=0.99, momentum=0.9, lr_inside=lr_inside, eps=1e-8, centered=True
    )
    rule = optax.scale_by_stddev(0.99, eps=1e-8, eps_in_sqrt=False)
    links = [optax.trace(0.9), optax.scale_by_learning_rate(falling)]
    theirs = optax.chain(rule, *(reversed(links) if lr_inside else links))
    got = updates_of(ours, GRADIENTS)
    chex.assert_trees_all_close(got, updates_of(theirs, GRADIENTS), rtol=1e-3, atol=1e-6)
    other = optimizers.rmsprop(
        falling, decay=0.99, momentum=0.9, lr_inside=not lr_inside, eps=1e-8, centered=True
    )
    assert jnp.max(jnp.abs(got - updates_of(other, GRADIENTS))) > 0.01


@pytest.mark.parametrize("momentum", [None, 0.0])
def test_without_momentum_the_velocity_is_the_step(momentum):
    got = updates_of(optimizers.rmsprop(0.1, decay=0.9, momentum=momentum), GRADIENTS)
    want = -0.1 * updates_of(optimizers.scale_by_rmsprop(0.9), GRADIENTS)
    chex.assert_trees_all_close(got, want, rtol=1e-6)


def test_optax_has_epsilon_inside_by_default():
    """S-LIB-02: the first step at g = 1e-5 is 0.0316 of the rate there, 3.07 in 002's form."""
    gradients = jnp.array([[1e-5]])
    theirs = updates_of(optax.rmsprop(1.0, 0.9, eps=1e-7), gradients)[0, 0]
    ours = updates_of(optimizers.rmsprop(1.0, decay=0.9), gradients)[0, 0]
    inside = updates_of(optimizers.rmsprop(1.0, decay=0.9, eps_inside=True), gradients)[0, 0]
    assert ours == pytest.approx(-3.065, abs=1e-3)
    assert theirs == pytest.approx(-0.0316, abs=1e-4)
    assert inside == pytest.approx(float(theirs), rel=1e-5)


@pytest.mark.parametrize("name, bad", [("decay", 1.1), ("momentum", 1.1), ("eps", -1e-9)])
def test_hyper_parameters_out_of_range(name, bad):
    with pytest.raises(ValueError, match=f"{name} must be in .*, got {bad}"):
        optimizers.rmsprop(0.1, **{name: bad})


def test_a_kept_gradient_goes_with_the_variance():
    with pytest.raises(
        ValueError, match="keep_gradient=True needs centered=True, got centered False"
    ):
        optimizers.rmsprop(0.1, keep_gradient=True)


def test_at_decay_1_a_gradient_whose_square_overflows_is_divided_by_epsilon():
    """The second moment stays 0: nothing of the infinite square has a weight."""
    tx = optimizers.scale_by_rmsprop(1.0, eps=1e-3)
    gradient = jnp.array([1e25, 1.0])
    updates, _ = tx.update(gradient, tx.init(gradient))
    chex.assert_trees_all_close(updates, gradient / 1e-3, rtol=1e-6)
