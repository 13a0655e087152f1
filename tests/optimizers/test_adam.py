"""Adam against closed forms of a constant gradient, and against optax where conventions meet."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import optimizers
from tests.trajectories import updates_of


@pytest.mark.slow
@pytest.mark.parametrize("eps_inside", [False, True])
@pytest.mark.parametrize("corrected", [False, True])
def test_constant_gradient_has_a_closed_form(corrected, eps_inside):
    """m_t = g (1 - b1^t), v_t = g^2 (1 - b2^t); corrected, both are the gradient's own."""
    g, eps, t = 0.01, 1e-3, np.arange(1, 41)
    first = g * (1 if corrected else 1 - 0.9**t)
    second = g**2 * (1 if corrected else 1 - 0.99**t)
    want = first / (np.sqrt(second + eps) if eps_inside else np.sqrt(second) + eps)
    rule = optimizers.scale_by_adam(
        0.9, b2=0.99, eps=eps, eps_inside=eps_inside, bias_correction=corrected
    )
    got = updates_of(rule, jnp.full((40, 1), g))[:, 0]
    chex.assert_trees_all_close(got, jnp.broadcast_to(jnp.float32(want), (40,)), rtol=2e-6)


def test_uncorrected_first_step_is_too_large():
    """E-20: 3.16 times at step 1, worst 6.57 times at step 12."""
    gradients = jnp.ones((40, 1))
    plain = updates_of(optimizers.scale_by_adam(bias_correction=False), gradients)[:, 0]
    assert plain[0] == pytest.approx(3.162, abs=1e-3)
    assert int(jnp.argmax(plain)) + 1 == 12
    assert plain[11] == pytest.approx(6.57, abs=5e-3)


@pytest.mark.parametrize("eps_root", [False, True])
def test_equals_optax_where_optax_can_express_it(eps_root):
    eps = 1e-3
    gradients = jax.random.normal(jax.random.key(0), (50, 8))
    ours = optimizers.scale_by_adam(0.9, b2=0.99, eps=eps, eps_inside=eps_root)
    names = {"eps": 0.0, "eps_root": eps} if eps_root else {"eps": eps}
    theirs = optax.scale_by_adam(0.9, 0.99, **names)
    chex.assert_trees_all_close(
        updates_of(ours, gradients), updates_of(theirs, gradients), rtol=1e-4
    )


def test_eps_hat_divides_before_the_correction():
    """Kingma and Ba, section 2: at step 1 sqrt(v) = g sqrt(1 - b2)."""
    g, eps, b2 = 1e-3, 1e-4, 0.99
    rule = optimizers.scale_by_adam(0.9, b2=b2, eps=eps, eps_hat=True)
    root = np.sqrt(1 - b2)
    got = updates_of(rule, jnp.full((1, 1), g))[0, 0]
    assert got == pytest.approx(g * root / (g * root + eps), rel=1e-5)


def test_eps_hat_inside_is_added_to_the_uncorrected_square():
    """The notes' code (004:234-251) adds it there; at step 1 v = g^2 (1 - b2)."""
    g, eps, b2 = 1e-3, 1e-8, 0.99
    rule = optimizers.scale_by_adam(0.9, b2=b2, eps=eps, eps_hat=True, eps_inside=True)
    got = updates_of(rule, jnp.full((1, 1), g))[0, 0]
    assert got == pytest.approx(np.sqrt(1 - b2) * g / np.sqrt(g**2 * (1 - b2) + eps), rel=1e-5)


@pytest.mark.parametrize("inside", [False, True])
def test_optax_always_corrects_and_so_has_not_the_notes_adam(inside):
    """S-LIB-03: its first step under a unit gradient is 1 whatever its epsilons, the notes' is
    (1 - b1) / sqrt(1 - b2) = 3.16, with epsilon outside (S-OPT-16) or inside (S-OPT-18)."""
    gradients = jnp.ones((1, 1))
    for theirs in (optax.scale_by_adam(eps=1e-7), optax.scale_by_adam(eps=0.0, eps_root=1e-7)):
        assert updates_of(theirs, gradients)[0, 0] == pytest.approx(1.0, abs=1e-5)
    ours = optimizers.scale_by_adam(bias_correction=False, eps_inside=inside)
    assert updates_of(ours, gradients)[0, 0] == pytest.approx(3.162, abs=1e-3)


@pytest.mark.parametrize("name, bad", [("b1", 1.0), ("b2", -0.1), ("eps", -1e-9)])
def test_hyper_parameters_out_of_range(name, bad):
    with pytest.raises(ValueError, match=f"{name} must be in .*, got {bad}"):
        optimizers.adam(1e-3, **{name: bad})


@pytest.mark.parametrize("make", [optimizers.adam, optimizers.adamw], ids=["adam", "adamw"])
def test_amsgrad_divides_by_the_largest_second_moment_so_far(make):
    """One gradient of 1, then none: Adam's second moment shrinks, AMSGrad's stays at 1 - b2."""
    tx = make(1.0, b1=0.5, b2=0.75, eps=0.0, amsgrad=True, bias_correction=False)
    got = updates_of(tx, jnp.array([[1.0], [0.0], [0.0]]))[:, 0]
    chex.assert_trees_all_close(got, -jnp.array([0.5, 0.25, 0.125]) / 0.5)


@pytest.mark.parametrize("eps_inside", [False, True])
def test_eps_hat_is_eps_where_nothing_is_corrected(eps_inside):
    options = {"eps_inside": eps_inside, "bias_correction": False, "eps": 0.1}
    gradients = jnp.array([1.0, -2.0, 0.5])

    def run(eps_hat):
        tx = optimizers.adam(0.1, eps_hat=eps_hat, **options)
        step = lambda state, g: tx.update(g, state)[::-1]  # noqa: E731
        return jax.lax.scan(step, tx.init(jnp.zeros(())), gradients)[1]

    chex.assert_trees_all_equal(run(True), run(False))
