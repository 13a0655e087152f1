"""AdaDelta against its laws and against optax, which has the paper's form."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import optimizers
from tests.trajectories import updates_of


@pytest.mark.parametrize("decay, eps", [(0.95, 1e-6), (0.9, 1e-2), (0.0, 1e-4)])
def test_first_step_has_a_closed_form(decay, eps):
    """sqrt(eps) / sqrt((1 - rho) g^2 + eps) g: its size hardly depends on g."""
    g = np.array([[100.0, -1.0, 1e-3]])
    want = g * np.sqrt(eps / ((1 - decay) * g**2 + eps))
    got = updates_of(optimizers.scale_by_adadelta(decay, eps=eps), jnp.float32(g))
    chex.assert_trees_all_close(got, jnp.float32(want), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("decay, eps", [(0.95, 1e-6), (0.5, 1e-2)])
def test_equals_optax(decay, eps):
    gradients = jax.random.normal(jax.random.key(0), (100, 8))
    ours = optimizers.adadelta(1.0, decay=decay, eps=eps)
    theirs = optax.adadelta(1.0, rho=decay, eps=eps)
    chex.assert_trees_all_close(
        updates_of(ours, gradients), updates_of(theirs, gradients), rtol=1e-4
    )


def test_step_has_the_units_of_the_parameters():
    """Gradients 1000 times larger (another unit of the loss) give the same steps."""
    gradients = 1 + jnp.abs(jax.random.normal(jax.random.key(1), (40, 4)))
    rule = optimizers.scale_by_adadelta(eps=1e-6)
    got, want = updates_of(rule, 1000 * gradients), updates_of(rule, gradients)
    chex.assert_trees_all_close(got, want, rtol=1e-3)


def test_nothing_moves_without_epsilon():
    got = updates_of(optimizers.adadelta(eps=0.0), jnp.ones((20, 1)))
    chex.assert_trees_all_equal(got, jnp.zeros((20, 1)))


@pytest.mark.parametrize("name, bad", [("decay", 1.1), ("eps", -1e-9), ("learning_rate", -1.0)])
def test_hyper_parameters_out_of_range(name, bad):
    with pytest.raises(ValueError, match=f"{name} must be in .*, got {bad}"):
        optimizers.adadelta(**{name: bad})
