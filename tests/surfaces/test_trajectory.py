"""Paths against closed forms and against a plain loop."""

import chex
import jax
import jax.numpy as jnp
import optax
import pytest

from jaxtricks import surfaces
from jaxtricks.optimizers import adam, gradient_descent, momentum

CURVATURES = jnp.array([1.0, 20.0])


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.01, 0.09, 0.099])
def test_gradient_descent_multiplies_each_coordinate(rate):
    """002:166: w_t = (1 - alpha h)^t w_0; the steep one flips its sign above 1/h (F-019)."""
    bowl = surfaces.quadratic(CURVATURES)
    path = surfaces.trajectory(gradient_descent(rate), bowl, jnp.array([3.0, -1.0]), 20)
    t = jnp.arange(21)[:, None]
    want = (1 - rate * CURVATURES[None, :]) ** t * jnp.array([[3.0, -1.0]])
    chex.assert_trees_all_close(path.points, want, rtol=2e-4, atol=1e-6)
    chex.assert_trees_all_close(path.losses, 0.5 * want**2 @ CURVATURES, rtol=1e-3, atol=1e-6)
    chex.assert_trees_all_close(path.gradients, CURVATURES[None] * path.points[:-1], rtol=1e-5)
    chex.assert_trees_all_close(path.updates, -rate * path.gradients, rtol=1e-6)
    chex.assert_trees_all_close(path.points[:-1] + path.updates, path.points[1:], rtol=1e-6)
    assert path.state.count == 20


@pytest.mark.slow
def test_scan_equals_a_loop_on_a_tree():
    tx, start = adam(0.1), {"a": jnp.array([1.0, -2.0]), "b": (jnp.asarray(0.5),)}

    def loss(x):
        return jnp.sum(jnp.cosh(x["a"])) * (1 + x["b"][0] ** 2)

    @jax.jit
    def step(x, state):
        updates, state = tx.update(jax.grad(loss)(x), state, x)
        return optax.apply_updates(x, updates), state

    path = jax.device_get(surfaces.trajectory(tx, loss, start, 5))
    x, state = start, tx.init(start)
    for t in range(5):
        chex.assert_trees_all_close(jax.tree.map(lambda p, t=t: p[t], path.points), x, rtol=1e-5)
        x, state = step(x, state)
    chex.assert_trees_all_close(jax.tree.map(lambda p: p[5], path.points), x, rtol=1e-5)
    chex.assert_trees_all_close(path.state, state, rtol=1e-5)


@pytest.mark.slow
def test_vmap_over_starts_and_hyper_parameters_equals_single_runs():
    banana = surfaces.banana()

    def run(rate, decay, start):
        return surfaces.trajectory(momentum(rate, decay=decay), banana, start, 10)

    rates, decays = jnp.array([0.001, 0.003]), jnp.array([0.0, 0.78])
    starts = jnp.stack([banana.start, jnp.array([0.5, 0.5])])
    many = jax.device_get(jax.jit(jax.vmap(run))(rates, decays, starts))
    for i in range(2):
        one = run(float(rates[i]), float(decays[i]), starts[i])
        mine = jax.tree.map(lambda leaf, i=i: leaf[i], many)
        chex.assert_trees_all_close(mine, one, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_keys_fold_in_the_step():
    key = jax.random.key(7)

    def tilted(key, x):
        return jnp.sum(x * jax.random.normal(key, x.shape))

    path = surfaces.trajectory(gradient_descent(0.1), tilted, jnp.ones(2), 4, key=key)
    want = jnp.stack([jax.random.normal(jax.random.fold_in(key, t), (2,)) for t in range(5)])
    chex.assert_trees_all_close(path.gradients, want[:4])
    chex.assert_trees_all_close(path.losses, jnp.sum(want * path.points, axis=1), rtol=1e-5)


def test_the_rule_is_told_the_loss():
    def update(updates, state, params=None, *, value, **extra_args):
        return updates, value

    tx = optax.GradientTransformationExtraArgs(lambda params: jnp.zeros(()), update)
    path = surfaces.trajectory(tx, lambda x: x**2, 3.0, 1)
    assert path.state == 9.0
    end = surfaces.descend(tx, lambda x: x**2, 3.0, tolerance=0.0, max_steps=1)
    assert end.point == 9.0


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32, jnp.float64])
def test_dtype_follows_the_start(dtype):
    def both(start):
        bowl = surfaces.quadratic((1.0, 20.0), angle=0.3)
        end = surfaces.descend(adam(0.1), bowl, start, tolerance=0.0, max_steps=3)
        return surfaces.trajectory(adam(0.1), bowl, start, 3), end

    with jax.enable_x64(True):
        path, end = jax.eval_shape(both, jax.ShapeDtypeStruct((2,), dtype))
    chex.assert_type([path.points, path.losses, path.gradients, path.updates], dtype)
    chex.assert_type([end.point, end.loss], dtype)


@pytest.mark.slow
def test_float64_reaches_float64_accuracy():
    """No constant of the room is rounded to float32 on the way."""
    with jax.enable_x64(True):
        for surface in (surfaces.banana(), surfaces.double_well(0.5), surfaces.beale()):
            end = surfaces.descend(
                momentum(0.003, decay=0.9),
                surface,
                surface.optimum + 0.05,
                tolerance=1e-13,
                max_steps=60000,
            )
            chex.assert_trees_all_close(end.point, surface.optimum, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("jit", [False, True])
def test_descend_stops_at_the_tolerance(jit):
    """|g_t| = (1 - alpha)^t on the unit bowl: below 1e-3 first at t = 10 with alpha = 1/2."""

    def run(tolerance):
        bowl = surfaces.quadratic((1.0,))
        return surfaces.descend(
            gradient_descent(0.5), bowl, jnp.ones(1), tolerance=tolerance, max_steps=99
        )

    end = (jax.jit(run) if jit else run)(1e-3)
    assert end.steps == 10 and end.gradient_norm == 0.5**10 and end.point[0] == 0.5**10
    assert end.loss == 0.5 * 0.25**10
    steps = jax.vmap(run)(jnp.array([2.0, 0.3, 1e-3])).steps
    assert steps.tolist() == [0, 2, 10]


@pytest.mark.slow
def test_descend_gives_up():
    bowl = surfaces.quadratic((1.0,))
    end = surfaces.descend(gradient_descent(0.1), bowl, jnp.ones(1), tolerance=0.0, max_steps=7)
    assert end.steps == 7 and end.gradient_norm > 0
    end = surfaces.descend(gradient_descent(9.0), bowl, jnp.ones(1), tolerance=1e-3, max_steps=999)
    assert end.steps < 999 and not end.gradient_norm < 1e-3


@pytest.mark.slow
def test_same_path_as_descend():
    banana, tx = surfaces.banana(), momentum(0.003, decay=0.78)
    path = surfaces.trajectory(tx, banana, banana.start, 150)
    end = surfaces.descend(tx, banana, banana.start, tolerance=0.0, max_steps=150)
    chex.assert_trees_all_close(end.point, path.points[-1], rtol=1e-4)
    chex.assert_trees_all_close(end.loss, path.losses[-1], rtol=1e-3)


def test_saddle_holds_gradient_descent_on_the_ridge():
    """F-039: y grows by 1 + 2 alpha a step, x shrinks by 1 - 2 alpha."""
    path = surfaces.trajectory(
        gradient_descent(0.01), surfaces.saddle(), jnp.array([1.0, 1e-9]), 100
    )
    chex.assert_trees_all_close(
        path.points[-1], jnp.array([0.98**100, 1e-9 * 1.02**100]), rtol=1e-4
    )


@pytest.mark.parametrize("steps, error", [(0, ValueError), (-3, ValueError)])
def test_bad_steps(steps, error):
    with pytest.raises(error, match=f"steps must be at least 1, got {steps}"):
        surfaces.trajectory(gradient_descent(0.1), surfaces.banana(), jnp.ones(2), steps)
    with pytest.raises(error, match=f"max_steps must be at least 1, got {steps}"):
        surfaces.descend(
            gradient_descent(0.1), surfaces.banana(), jnp.ones(2), tolerance=0.1, max_steps=steps
        )


def test_bad_start():
    for start in (jnp.ones(3), jnp.ones((2, 1)), 1.0):
        with pytest.raises(ValueError, match="x must have the shape of the surface's start"):
            surfaces.trajectory(gradient_descent(0.1), surfaces.beale(), start, 3)
        with pytest.raises(ValueError, match="x must have the shape of the surface's start"):
            surfaces.descend(
                gradient_descent(0.1), surfaces.beale(), start, tolerance=0.1, max_steps=3
            )
    with pytest.raises(TypeError, match="start is complex64"):
        surfaces.trajectory(gradient_descent(0.1), surfaces.beale(), jnp.ones(2) * 1j, 3)
