"""Warmup, the Transformer's curve, and schedules one after another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import schedules


def values(schedule, counts):
    """In one program: outside of `jit`, each of its operations would be compiled for itself."""
    return np.asarray(jax.jit(jax.vmap(schedule))(jnp.asarray(counts, jnp.int32)), np.float64)


@pytest.mark.parametrize("start, shift", [("first_step", 1), ("zero", 0)])
def test_warmup_is_the_formula_counted_from_one_or_the_text_counted_from_zero(start, shift):
    """E-43: the first rate is alpha / n or 0, and the peak comes at n - 1 or at n."""
    counts = np.arange(12)
    got = values(schedules.linear_warmup(0.5, 8, start=start), counts)
    np.testing.assert_allclose(got, 0.5 * np.minimum((counts + shift) / 8, 1), rtol=1e-6)


@pytest.mark.parametrize("size, warmup", [(512, 4000), (1024, 4000), (64, 10)])
def test_peak_of_noam(size, warmup):
    """The peak is (d w)^-1/2, at step w and nowhere else: 6.988e-4 for d = 512, w = 4000."""
    rates = values(schedules.noam(size, warmup_steps=warmup), np.arange(3 * warmup))
    assert np.argmax(rates) == warmup - 1
    assert rates.max() == pytest.approx((size * warmup) ** -0.5, rel=1e-6)
    if (size, warmup) == (512, 4000):
        assert rates.max() == pytest.approx(6.988e-4, rel=1e-4)


def test_noam_in_float64():
    t = np.array([1.0, 2, 10, 3999, 4000, 4001, 100_000])
    want = 2.0 * 512**-0.5 * np.minimum(t**-0.5, t * 4000**-1.5)
    np.testing.assert_allclose(values(schedules.noam(512, scale=2.0), t - 1), want, rtol=1e-6)


def test_noam_is_a_warmup_and_an_inverse_square_root():
    parts = schedules.join(
        (
            schedules.linear_warmup((64 * 10) ** -0.5, 10),
            schedules.inverse_sqrt_decay(64**-0.5, offset=11),
        ),
        (10,),
    )
    counts = np.arange(40)
    np.testing.assert_allclose(
        values(parts, counts), values(schedules.noam(64, warmup_steps=10), counts), rtol=1e-6
    )


@pytest.mark.slow
@pytest.mark.parametrize("start", ["first_step", "zero"])
@pytest.mark.parametrize(
    "schedule",
    [
        schedules.constant(0.3),
        schedules.cosine_decay(0.3, 50),
        schedules.inverse_sqrt_decay(0.3),
        schedules.step_decay(0.3, 20),
    ],
)
def test_warmup_is_continuous_and_shifts_the_schedule(schedule, start):
    """S-SCH-14: the rate rises to schedule(0), then is the schedule from its own beginning."""
    rate = schedules.with_warmup(schedule, 7, start=start)
    got = values(rate, np.arange(70))
    np.testing.assert_allclose(got[7:], values(schedule, np.arange(63)), rtol=1e-6)
    assert got[7] == pytest.approx(0.3) and got[7] - got[6] <= 0.3 / 7 + 1e-6
    np.testing.assert_allclose(np.diff(got[:7]), 0.3 / 7, rtol=1e-5)


def test_linear_decay_with_warmup():
    """E-53: min(t / w, (T - t) / (T - w)), the usual form of BERT's schedule; starts at 0."""
    total, warmup, t = 100, 10, np.arange(120)
    rate = schedules.with_warmup(schedules.linear_decay(1e-4, total - warmup), warmup, start="zero")
    want = 1e-4 * np.clip(np.minimum(t / warmup, (total - t) / (total - warmup)), 0, 1)
    np.testing.assert_allclose(values(rate, t), want, rtol=1e-5, atol=1e-11)


def test_warmup_longer_than_the_total():
    with pytest.raises(ValueError, match="total_steps must be at least 0, got -5"):
        schedules.with_warmup(schedules.linear_decay(0.1, 10 - 15), 15)


def test_join_gives_each_schedule_its_own_count():
    seen = schedules.join((lambda count: count * 1.0,) * 3, (4, 9))
    assert values(seen, np.arange(12)).tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 4, 0, 1, 2]


def test_no_nan_slips_through_a_schedule_that_has_not_begun():
    """The square root of a negative count would give a NaN gradient through `where`."""

    def rate(initial):
        later = lambda count: initial / jnp.sqrt(count + 1.0)  # noqa: E731
        joined = schedules.join((schedules.constant(initial), later), (5,))
        return joined(2) + schedules.with_warmup(later, 5)(2)

    assert jnp.isfinite(jax.grad(rate)(0.1))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: schedules.linear_warmup(0.1, -1), "warmup_steps must be at least 0"),
        (lambda: schedules.with_warmup(schedules.constant(0.1), -1), "warmup_steps must be at"),
        (lambda: schedules.noam(0), "model_size must be at least 1"),
        (lambda: schedules.noam(512, warmup_steps=-1), "warmup_steps must be at least 0"),
        (lambda: schedules.join((schedules.constant(0.1),), (3,)), "one fewer than the 1"),
        (lambda: schedules.join((schedules.constant(0.1),) * 3, (5, 3)), "increasing"),
        (lambda: schedules.join((), ()), "one fewer than the 0 schedules"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_number_is_no_schedule():
    with pytest.raises(TypeError, match="schedule"):
        schedules.with_warmup(0.1, 3)
    with pytest.raises(TypeError, match="schedules"):
        schedules.join((schedules.constant(0.1), 0.1), (3,))
