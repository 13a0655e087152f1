"""Moving and plain averages against closed forms, NumPy's mean and Optax's."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import averaging
from jaxtricks.averaging import exponential_average, polyak_average


def averages(averager, values):
    start = averager.init(jnp.zeros_like(values[0]))
    return jax.lax.scan(lambda state, x: averager.update(x, state)[::-1], start, values)[1]


@pytest.mark.slow
@pytest.mark.parametrize("decay", [0.0, 0.5, 0.999])
def test_average_of_a_constant_is_the_constant(decay):
    values = jnp.full((50, 2), jnp.array([3.0, -0.1]))
    for options in ({}, {"warm_start": True}, {"start": 4}):
        got = averages(exponential_average(decay, **options), values)
        np.testing.assert_allclose(got, values, rtol=2e-6)
    t = np.arange(1.0, 51)[:, None]
    got = averages(exponential_average(decay, debias=False), values)
    np.testing.assert_allclose(got, np.array(values) * (1 - decay**t), rtol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("decay", [0.5, 0.9, 0.99])
def test_average_of_a_straight_line_lags_behind_it(decay):
    """Of theta_t = t: t / (1 - b^t) - b / (1 - b), by summing the geometric series."""
    t = np.arange(1.0, 41)
    got = averages(exponential_average(decay), jnp.asarray(t, jnp.float32))
    np.testing.assert_allclose(got, t / (1 - decay**t) - decay / (1 - decay), rtol=2e-5)
    # begun at theta_1 = 1 it is t - b (1 - b^(t - 1)) / (1 - b)
    got = averages(exponential_average(decay, warm_start=True), jnp.asarray(t, jnp.float32))
    np.testing.assert_allclose(got, t - decay * (1 - decay ** (t - 1)) / (1 - decay), rtol=2e-5)


@pytest.mark.parametrize("debias", [True, False])
def test_agrees_with_optax(debias):
    values = jax.random.normal(jax.random.key(0), (20, 3))
    theirs = optax.ema(0.9, debias=debias)
    _, want = jax.lax.scan(
        lambda state, x: theirs.update(x, state)[::-1], theirs.init(values[0]), values
    )
    got = averages(exponential_average(0.9, debias=debias), values)
    chex.assert_trees_all_close(got, want, rtol=2e-5, atol=1e-6)


def test_debiasing_is_exact_where_one_minus_a_power_is_not():
    """1 - 0.99999^t has one digit left in float32 at t = 1."""
    got = averages(exponential_average(0.99999), jnp.ones(3))
    np.testing.assert_allclose(got, 1.0, rtol=1e-6)


def test_bfloat16_parameters_do_not_stall():
    """In bfloat16 itself 1 + 0.001 is 1."""
    averager = exponential_average(0.999, debias=False)
    got = averages(averager, jnp.ones(200, jnp.bfloat16))[-1]
    np.testing.assert_allclose(np.float32(got), 1 - 0.999**200, rtol=5e-3)


@pytest.mark.parametrize("start", [0, 3])
def test_polyak_average_is_the_mean_of_what_came_since_the_start(start):
    values = np.array(jax.random.normal(jax.random.key(1), (30, 2)) + 5)
    got = averages(polyak_average(start=start), jnp.array(values))
    want = [values[t] if t < start else np.mean(values[start : t + 1], axis=0) for t in range(30)]
    np.testing.assert_allclose(got, np.array(want), rtol=2e-6)


@pytest.mark.parametrize("warm_start", [True, False])
def test_a_late_start_is_a_start_from_there(warm_start):
    values = jax.random.normal(jax.random.key(2), (9, 2))
    late = averages(exponential_average(0.8, warm_start=warm_start, start=4), values)
    fresh = averages(exponential_average(0.8, warm_start=warm_start), values[4:])
    np.testing.assert_array_equal(late, np.concatenate([values[:4], fresh]))


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: exponential_average(1.0), ValueError, r"decay must be in \[0.0, 1.0\), got 1.0"),
        (lambda: exponential_average(-0.1), ValueError, "decay must be"),
        (lambda: exponential_average(0.9, start=-1), ValueError, "start must be at least 0, got"),
        (lambda: polyak_average(start=-1), ValueError, "start must be at least 0, got -1"),
    ],
)
def test_bad_arguments_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("averager", [exponential_average(0.9), polyak_average()])
@pytest.mark.parametrize("leaf", [jnp.arange(2), jnp.ones(2, complex), jax.random.key(0)])
def test_leaves_without_a_mean_are_refused(averager, leaf):
    with pytest.raises(TypeError, match=r"params\['n'\] (must be|is complex)"):
        averager.init({"n": leaf})


def test_average_settles_closer_than_the_noisy_iterates():
    """What it is for: SGD on a bowl with noisy gradients."""
    noise = jax.random.normal(jax.random.key(3), (400,))
    rules = (averaging.exponential_average(0.98), averaging.polyak_average(start=100))

    def body(carry, noise):
        x, states = carry
        x = x - 0.3 * (x + noise)
        done = [rule.update(x, state) for rule, state in zip(rules, states, strict=True)]
        return (x, tuple(state for _, state in done)), (x, *(average for average, _ in done))

    start = jnp.array(5.0)
    states = tuple(rule.init(start) for rule in rules)
    _, (x, *means) = jax.lax.scan(body, (start, states), noise)
    for mean in means:
        chex.assert_tree_all_finite(mean)
        assert jnp.mean(mean[300:] ** 2) < 0.2 * jnp.mean(x[300:] ** 2)


def test_a_decay_of_1_keeps_the_first_parameters_of_a_warm_start():
    values = jnp.array([3.0, 5.0, -2.0])
    got = averages(exponential_average(1.0, warm_start=True), values)
    chex.assert_trees_all_equal(got, jnp.full(3, 3.0))


def test_the_mean_of_huge_parameters_is_their_mean():
    """In float64: 3e38 and -3e38 differ by more than a float32 holds."""
    values = np.array([3e38, -3e38, -3e38, 1e38, 2e38])
    got = averages(polyak_average(), jnp.asarray(values, jnp.float32))
    want = np.cumsum(values) / np.arange(1, 6)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e32)
