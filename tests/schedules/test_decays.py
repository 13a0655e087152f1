"""The decays against their closed forms in float64, and against optax where it has the rule."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import schedules

COUNTS = np.array([0, 1, 2, 5, 9, 10, 11, 30, 99, 1000])


def values(schedule, counts=COUNTS):
    """In one program: outside of `jit`, each of its operations would be compiled for itself."""
    return np.asarray(jax.jit(jax.vmap(schedule))(jnp.asarray(counts, jnp.int32)), np.float64)


@pytest.mark.slow
@pytest.mark.parametrize(
    "schedule, form",
    [
        (schedules.exponential_decay(0.3, 0.05), lambda t: 0.3 * np.exp(-0.05 * t)),
        (schedules.inverse_time_decay(0.3, 0.05), lambda t: 0.3 / (1 + 0.05 * t)),
        (schedules.inverse_sqrt_decay(0.3), lambda t: 0.3 / np.sqrt(t + 1)),
        (schedules.inverse_sqrt_decay(0.3, offset=2.5), lambda t: 0.3 / np.sqrt(t + 2.5)),
        (schedules.step_decay(0.3, 5, factor=0.5), lambda t: 0.3 * 0.5 ** (t // 5)),
        (schedules.linear_decay(0.3, 100), lambda t: 0.3 * np.maximum(1 - t / 100, 0)),
        (
            schedules.linear_decay(0.3, 10, final=0.1),
            lambda t: np.interp(t, [0, 10], [0.3, 0.1]),
        ),
        (
            schedules.geometric_decay(0.1, 1e-4, 30),
            lambda t: 10.0 ** np.interp(t, [0, 30], [-1, -4]),
        ),
    ],
)
def test_closed_form(schedule, form):
    np.testing.assert_allclose(values(schedule), form(COUNTS), rtol=5e-6, atol=1e-9)


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (
            schedules.step_decay(0.3, 10, factor=0.5),
            optax.exponential_decay(0.3, 10, 0.5, staircase=True),
        ),
        (schedules.exponential_decay(0.3, 0.1), optax.exponential_decay(0.3, 10, np.exp(-1.0))),
        (
            schedules.multistep_decay(0.3, (6, 10), factor=0.5),
            optax.piecewise_constant_schedule(0.3, {6: 0.5, 10: 0.5}),
        ),
        (schedules.linear_decay(0.3, 30, final=0.1), optax.linear_schedule(0.3, 0.1, 30)),
        (schedules.linear_warmup(0.3, 30, start="zero"), optax.linear_schedule(0.0, 0.3, 30)),
        (
            schedules.with_warmup(schedules.cosine_decay(0.3, 20), 10, start="zero"),
            optax.warmup_cosine_decay_schedule(0.0, 0.3, 10, 30),
        ),
        (
            schedules.geometric_decay(0.1, 1e-4, 30),
            optax.exponential_decay(0.1, 30, 1e-3, end_value=1e-4),
        ),
        (
            schedules.cosine_decay(0.3, 20, final=0.03),
            optax.cosine_decay_schedule(0.3, 20, alpha=0.1),
        ),
        (
            schedules.join((schedules.constant(0.2), schedules.linear_decay(0.3, 5)), (9,)),
            optax.join_schedules(
                [optax.constant_schedule(0.2), optax.linear_schedule(0.3, 0, 5)], [9]
            ),
        ),
    ],
)
def test_optax_has_the_same_rule(ours, theirs):
    np.testing.assert_allclose(values(ours), values(theirs), rtol=1e-5, atol=1e-7)


def test_documented_table_of_step_lr():
    """001:49-58 (S-SCH-04): .05 for e < 30, .005 for 30 <= e < 60, .0005 for 60 <= e < 90."""
    want = np.repeat([0.05, 0.005, 0.0005], 30)
    np.testing.assert_allclose(values(schedules.step_decay(0.05, 30), np.arange(90)), want, 1e-6)


def drops(schedule, counts=100):
    rates = values(schedule, np.arange(counts))
    return (np.flatnonzero(np.diff(rates) < 0) + 1).tolist()


def test_stepping_before_training_cuts_one_epoch_early():
    """E-21: since PyTorch 1.1 the literal code of 001:55-57 drops at 29, 59 and 89."""
    rate = schedules.step_decay(0.05, 30)
    assert drops(rate) == [30, 60, 90]
    assert drops(lambda epoch: rate(epoch + 1)) == [29, 59, 89]


def test_units_are_steps():
    """An epoch of 7 steps: the cuts are where the epochs end."""
    assert drops(schedules.step_decay(1.0, 3 * 7), 50) == [21, 42]


def test_residual_networks_rule():
    """002:531-539 (S-SCH-08): .1, and a tenth of it at 32k and 48k."""
    rate = schedules.multistep_decay(0.1, (32_000, 48_000))
    counts = np.array([0, 31_999, 32_000, 47_999, 48_000, 63_999])
    want = [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    np.testing.assert_allclose(values(rate, counts), want, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("boundary", [2**24 + 1, 2**30 + 3, 2**31 - 1])
def test_boundaries_are_exact_beyond_float32(boundary):
    counts = np.array([boundary - 1, boundary])
    for schedule in (
        schedules.multistep_decay(1.0, (boundary,)),
        schedules.step_decay(1.0, boundary),
        schedules.join((schedules.constant(1.0), schedules.constant(0.1)), (boundary,)),
        schedules.cosine_restarts(0.1, boundary, final=1.0),
    ):
        got = values(schedule, counts)
        np.testing.assert_allclose(got, [1.0, 0.1], rtol=1e-6)


def test_last_rates_of_a_long_linear_decay_keep_their_digits():
    total = 30_000_001
    rate = schedules.linear_decay(1.0, total)
    got = values(rate, np.array([total - 3, total - 2, total - 1, total]))
    np.testing.assert_allclose(got, np.array([3, 2, 1, 0]) / total, rtol=1e-6)
    naive = 1 - np.float32(total - 3) / np.float32(total)
    assert abs(naive * total / 3 - 1) > 0.1  # what a subtraction of fractions would give


@pytest.mark.parametrize(
    "rate",
    [schedules.linear_decay(0.1, 7, final=3e-4), schedules.geometric_decay(0.1, 3e-4, 7)],
    ids=["linear", "geometric"],
)
def test_ends_are_exact(rate):
    assert rate(0) == jnp.float32(0.1) and rate(7) == rate(70) == jnp.float32(3e-4)


def test_first_update_is_time_one():
    """S-LIB-08, E-52: optax counts from 0, where the notes' formula is infinite."""
    assert np.isinf(0.1 / jnp.sqrt(jnp.float32(0)))
    for schedule in (schedules.inverse_sqrt_decay(0.1), schedules.linear_warmup(0.4, 4)):
        tx = optax.scale_by_schedule(schedule)
        updates, _ = tx.update(jnp.ones(()), tx.init(jnp.ones(())))
        assert updates == pytest.approx(0.1)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: schedules.step_decay(0.1, 0), ValueError, "every_steps must be at least 1"),
        (lambda: schedules.step_decay(0.1, 30.0), TypeError, "every_steps"),
        (lambda: schedules.step_decay(0.1, 30, factor=10.0), ValueError, "factor must be in"),
        (lambda: schedules.step_decay(0.1, 30, factor=0.0), ValueError, "factor must be in"),
        (lambda: schedules.multistep_decay(0.1, (5, 3)), ValueError, "increasing"),
        (lambda: schedules.multistep_decay(0.1, (3, 3)), ValueError, "increasing"),
        (lambda: schedules.multistep_decay(0.1, ()), ValueError, "not empty"),
        (lambda: schedules.multistep_decay(0.1, (0, 3)), ValueError, r"boundaries\[0\]"),
        (lambda: schedules.multistep_decay(0.1, jnp.array([3, 5])), TypeError, "boundaries"),
        (lambda: schedules.multistep_decay(0.1, (3,), factor=1.1), ValueError, "factor must be in"),
        (lambda: schedules.exponential_decay(0.1, -1.0), ValueError, "rate must be in"),
        (lambda: schedules.inverse_sqrt_decay(0.1, offset=0), ValueError, "offset must be in"),
        (lambda: schedules.linear_decay(0.1, -1), ValueError, "total_steps must be at least 0"),
        (lambda: schedules.geometric_decay(0.1, 0.0, 3), ValueError, "final must be in"),
        (lambda: schedules.geometric_decay(0.1, 1e-4, -1), ValueError, "total_steps"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.slow
@pytest.mark.parametrize("exponent", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("alpha", [0.0, 0.2])
def test_the_cosine_of_an_exponent_is_optaxs(exponent, alpha):
    ours = schedules.cosine_decay(0.1, 30, final=0.1 * alpha, exponent=exponent)
    theirs = optax.cosine_decay_schedule(0.1, 30, alpha=alpha, exponent=exponent)
    counts = np.arange(40)
    np.testing.assert_allclose(jax.jit(ours)(counts), values(theirs, counts), rtol=1e-4, atol=1e-8)


def test_the_floor_of_an_exponential_is_optaxs_end_value():
    ours = schedules.exponential_decay(0.1, np.log(2.0) / 4, final=0.003)
    theirs = optax.exponential_decay(0.1, 4, 0.5, end_value=0.003)
    counts = np.arange(40)
    np.testing.assert_allclose(jax.jit(ours)(counts), values(theirs, counts), rtol=1e-5)


def test_join_of_one_schedule_and_from_the_start():
    rates = schedules.linear_decay(0.3, 5), schedules.constant(0.2)
    np.testing.assert_array_equal(values(schedules.join(rates[:1], ())), values(rates[0]))
    np.testing.assert_array_equal(values(schedules.join(rates, (0,))), values(rates[1]))
