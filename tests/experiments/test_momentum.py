"""Numbers of the momentum experiments that have a closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.lab.scenes import DECAY, rule, valley
from experiments.momentum import (
    _tuned_steps,
    _zigzag,
    can_momentum_leave_a_local_minimum,
    does_adam_need_momentum,
    does_nesterov_overshoot_less,
    does_the_initial_velocity_matter,
    does_the_rate_belong_inside_the_velocity,
    what_is_the_velocity,
)
from experiments.momentum._final_loss import final_loss
from jaxtricks import optimizers, surfaces


@pytest.mark.slow
def test_displacement_after_the_drop():
    """Unit gradients, rho = 0.9, rate 0.1 to 0.01: inside, the old velocity is almost -1.

    In the limit of a late drop: -1 outside, -(1 + 0.9 sum of 0.9^k, k = 1 .. 10) = -6.276 inside.
    """
    config = does_the_rate_belong_inside_the_velocity.SMOKE
    results = does_the_rate_belong_inside_the_velocity.run(config)
    after = 0.9 ** np.arange(1, 11)
    outside = -np.sum(0.1 * (1 - 0.9**100 * after))
    inside = np.sum(-(1 - 0.9**100) * after - 0.1 * (1 - after))
    assert results["outside displacement"] == pytest.approx(outside, rel=1e-6)
    assert results["inside displacement"] == pytest.approx(inside, rel=1e-6)
    assert inside == pytest.approx(-(1 + 0.9 * np.sum(after)), abs=2e-4)


def test_steps_of_plain_descent_on_a_bowl():
    """Each step halves the distance, and 2^-20 is the first power under 1e-6."""
    run = _tuned_steps.descend(
        lambda x: x, jnp.array([0.5, 0.0]), 0.0, 100, jnp.ones(1), jnp.zeros(1)
    )
    assert int(run.steps) == 20
    assert float(run.farthest) == 0


def test_the_drawn_path_of_nesterovs_rule_is_that_of_its_weights():
    path = does_nesterov_overshoot_less.weights("nesterov", 30)
    given = surfaces.trajectory(rule("nesterov"), valley(), jnp.array(valley().start), 30)
    velocity = optax.tree.get(given.state, "velocity")
    last = optimizers.base_point(given.points[-1], velocity, DECAY)
    np.testing.assert_allclose(path[-1], last, atol=1e-5)


def test_a_round_bowl_gives_the_zigzag_index_one():
    grid, keys = jnp.array([[-1.0, 0.0]]), jax.random.split(jax.random.key(0), 3)
    found = _zigzag.zigzags(grid, keys, 1.0, 100, 1e-6)
    np.testing.assert_allclose(found["index"], 0, atol=1e-6)
    np.testing.assert_allclose(found["steps"], np.log10(20), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("start, right", [(-0.15, False), (-0.1, True)])
def test_the_top_of_the_hill_divides_the_runs(start, right):
    """At tilt 0.5 the hill's top is the middle root of 4 x^3 - 4 x = 0.5, at -0.127."""
    script = can_momentum_leave_a_local_minimum
    end = script.ends_right(
        script.Config(steps=1000), jnp.array(0.5), jnp.array(start), jnp.array(0.0), jnp.array(0.0)
    )
    assert bool(end) == right


def test_rules_of_optax_are_those_that_take_a_rate_first():
    """`nadam` is a partial function, and `scale_by_adam` takes no rate."""
    table = does_adam_need_momentum.arguments_of_optax()
    assert "momentum" in table["sgd"] and "b1" in table["nadam"]
    assert not {"scale_by_adam", "scale_by_learning_rate"} & set(table)
    assert does_adam_need_momentum.taking({"a": ("betas",), "b": ("eps",)}, "b1 or betas") == ["a"]


def test_coasting_loses_one_minus_rho_a_step():
    velocities = does_the_initial_velocity_matter.coast(jnp.array(0.9))
    np.testing.assert_allclose(velocities, 0.9 ** np.arange(1, 31), rtol=1e-5)


def test_the_sum_of_a_constant_gradients_weights():
    """A velocity is (1 - rho^t) / (1 - rho) times the average."""
    results = what_is_the_velocity.run(what_is_the_velocity.SMOKE)
    decay, t = np.array(results["decays"])[:, None], np.asarray(results["shown"])
    np.testing.assert_allclose(results["ratio"], (1 - decay**t) / (1 - decay), rtol=1e-9)


@pytest.mark.slow
def test_final_loss_is_the_mean_of_the_trajectorys_end():
    bowl, key = surfaces.quadratic((1.0, 4.0)), jax.random.key(3)
    noisy, rule = surfaces.with_gradient_noise(bowl, 1.0), optimizers.momentum(0.05, decay=0.5)
    path = surfaces.trajectory(rule, noisy, bowl.start, 20, key=key)
    found = final_loss(rule, noisy, bowl, bowl.start, key, steps=20, tail=4)
    np.testing.assert_allclose(found, np.mean(path.losses[-4:]), rtol=1e-5)
    wild = final_loss(optimizers.momentum(1e9), noisy, bowl, bowl.start, key, steps=20, tail=4)
    assert wild == 1e6
