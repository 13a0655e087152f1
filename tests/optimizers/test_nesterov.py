"""Nesterov's momentum: two forms, one trajectory, and the spectrum on a bowl."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import optimizers
from tests.trajectories import updates_of


def loss(x):
    """A bent valley, so that the gradient depends on where it is taken."""
    return 0.5 * x[0] ** 2 + 5 * (x[1] - 0.3 * x[0] ** 2) ** 2


def falling(count):
    return 0.02 / (1 + 0.1 * count)


def trajectory(tx, start, gradient, steps=60):
    """The parameters and the velocity after each step; `gradient(x, velocity)`."""

    def body(carry, _):
        x, state = carry
        velocity = optax.tree.get(state, "velocity")
        updates, state = tx.update(gradient(x, velocity), state)
        x = optax.apply_updates(x, updates)
        return (x, state), (x, optax.tree.get(state, "velocity"))

    return jax.lax.scan(body, (start, tx.init(start)), length=steps)[1]


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.02, falling], ids=["constant", "falling"])
@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9])
def test_both_forms_are_one_trajectory(decay, rate):
    """C-023: note 002:311-338, to 1e-12 in float64."""
    with jax.enable_x64(True):
        start = jnp.array([2.0, -1.0])
        slope = jax.grad(loss)

        def ahead(x, velocity):
            return slope(optimizers.lookahead_point(x, velocity, decay))

        def here(x, velocity):
            del velocity
            return slope(x)

        first = optimizers.momentum(rate, decay=decay, lr_inside=True)
        points, velocities = trajectory(first, start, ahead)
        second = optimizers.nesterov(rate, decay=decay)
        moved, moved_velocities = trajectory(second, start, here)
        assert points.dtype == moved.dtype == jnp.float64
        chex.assert_trees_all_close(
            optimizers.base_point(moved, moved_velocities, decay), points, rtol=0, atol=1e-12
        )
        chex.assert_trees_all_close(moved_velocities, velocities, rtol=0, atol=1e-12)
        assert float(jnp.abs(moved - points).max()) >= 0.05 * decay  # they are two points


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.1, falling], ids=["constant", "falling"])
def test_rate_outside_is_what_optax_does(rate):
    gradients = jax.random.normal(jax.random.key(0), (40, 5))
    ours = updates_of(optimizers.nesterov(rate, decay=0.9, lr_inside=False), gradients)
    theirs = updates_of(optax.sgd(rate, 0.9, nesterov=True), gradients)
    chex.assert_trees_all_close(ours, theirs, rtol=1e-5, atol=1e-7)


def test_inside_equals_optax_until_the_rate_changes():
    gradients = jax.random.normal(jax.random.key(0), (40, 5))

    def cut(count):
        return jnp.where(count < 20, 0.1, 0.01)

    ours = updates_of(optimizers.nesterov(cut, decay=0.9), gradients)
    theirs = updates_of(optax.sgd(cut, 0.9, nesterov=True), gradients)
    chex.assert_trees_all_close(ours[:20], theirs[:20], rtol=1e-5, atol=1e-6)
    assert jnp.abs(ours[20] - theirs[20]).max() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("decay", [0.5, 0.9])
@pytest.mark.parametrize("rate_times_curvature", [0.01, 0.3, 1.0, 1.3])
def test_spectrum_on_a_bowl(decay, rate_times_curvature):
    """Roots of z^2 - (1 + rho)(1 - ah) z + rho (1 - ah); at ah = 1 both are 0."""
    tx: Any = optimizers.nesterov(rate_times_curvature, decay=decay)

    def step(point):
        x, velocity = point
        rate, momentum = tx.init(x)
        updates, (_, momentum) = tx.update(x, (rate, momentum._replace(velocity=velocity)))
        return jnp.stack([x + updates, momentum.velocity])

    matrix = np.asarray(jax.jacobian(step)(jnp.ones(2)), np.float64)
    left = 1 - rate_times_curvature
    want = np.abs(np.roots([1, -(1 + decay) * left, decay * left])).max(initial=0)
    # float32 entries: a double root moves by the root of their error
    assert np.abs(np.linalg.eigvals(matrix)).max() == pytest.approx(want, abs=1e-3)


def test_two_steps_solve_a_bowl_whose_curvature_is_known():
    """At ah = 1 the step's matrix is nilpotent; plain momentum is far away then."""
    for tx, solved in ((optimizers.nesterov(0.25), True), (optimizers.momentum(0.25), False)):
        points, _ = trajectory(tx, jnp.array([3.0]), lambda x, _: 4 * x, steps=2)
        assert (abs(float(points[-1, 0])) < 1e-6) == solved


def test_points_are_inverse_and_keep_dtypes():
    params = {"w": jnp.array([1.0, -2.0], jnp.bfloat16), "b": (jnp.array(0.5),)}
    velocity = jax.tree.map(lambda x: jnp.full(x.shape, 0.25), params)
    ahead = optimizers.lookahead_point(params, velocity, 0.5)
    chex.assert_trees_all_equal_shapes_and_dtypes(ahead, params)
    assert float(ahead["b"][0]) == 0.625
    chex.assert_trees_all_equal(optimizers.base_point(ahead, velocity, 0.5), params)


def test_points_refuse_what_does_not_match():
    with pytest.raises(ValueError, match="velocity must have the structure of params"):
        optimizers.lookahead_point({"w": jnp.ones(2)}, {"v": jnp.ones(2)}, 0.9)
    with pytest.raises(ValueError, match=r"velocity\['w'\] must have the shape of params"):
        optimizers.base_point({"w": jnp.ones(2)}, {"w": jnp.ones(3)}, 0.9)
    with pytest.raises(ValueError, match="decay must be in .* got 1.5"):
        optimizers.base_point(jnp.ones(2), jnp.ones(2), 1.5)
