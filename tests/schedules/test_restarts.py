"""Warm restarts: where they fall, and the curve between them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import schedules
from tests.untyped import untyped


def values(schedule, counts):
    return np.asarray(jax.vmap(schedule)(jnp.asarray(counts, jnp.int32)), np.float64)


def padded(counts):
    """The last one again and again: JAX compiles every operation once, for arrays of 64."""
    return np.pad(counts, (0, 64 - len(counts)), mode="edge")


def starts(first, multiplier):
    """The restarts below 2^31, in Python's integers: T_0 (m^i - 1) / (m - 1)."""
    total, length = 0, first
    while total < 2**31:
        yield total
        total, length = total + length, length * multiplier


@pytest.mark.slow
@pytest.mark.parametrize("first, multiplier", [(1, 2), (10, 2), (7, 3), (1000, 7), (2**30, 2)])
def test_restarts_are_exact_to_the_largest_count(first, multiplier):
    rate = schedules.cosine_restarts(1.0, first, multiplier=multiplier)
    restarts = np.array(list(starts(first, multiplier))[1:])
    assert restarts.max() > 2**28
    np.testing.assert_array_equal(values(rate, padded(restarts)), 1.0)
    before = values(rate, padded(restarts[restarts > 1] - 1))
    assert np.all(before <= 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("short", [np.int8, np.int32, jnp.int32])
def test_short_integers_do_not_wrap_around(short):
    plain = schedules.cosine_restarts(1.0, 10, multiplier=2)
    with untyped():
        rate = schedules.cosine_restarts(1.0, short(10), multiplier=short(2))
    counts = padded([0, 9, 10, 29, 2**31 - 1])
    want = values(plain, counts)
    with untyped():
        np.testing.assert_array_equal(values(rate, counts), want)


@pytest.mark.slow
@pytest.mark.parametrize("first", [10, 1000, 12_345_679])
def test_equal_cycles_are_exact_to_the_largest_count(first):
    last = (2**31 - 1) // first * first
    rate = schedules.cosine_restarts(1.0, first, final=0.0)
    got = values(rate, padded([last, last - 1, last - first, last + first // 2 - first]))
    assert got[0] == got[2] == 1.0
    assert got[1] < 0.03 and got[3] == pytest.approx(0.5, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("multiplier", [1, 2])
def test_cycles_are_cosine_decays(multiplier):
    """Against optax's joined cycles."""
    lengths = [6 * multiplier**i for i in range(4)]
    theirs = optax.sgdr_schedule(
        [
            {
                "init_value": 0.3 * 0.8**i,
                "peak_value": 0.3 * 0.8**i,
                "warmup_steps": 0,
                "decay_steps": length,
                "end_value": 0.01 * 0.5**i,
            }
            for i, length in enumerate(lengths)
        ]
    )
    ours = schedules.cosine_restarts(
        0.3, 6, multiplier=multiplier, final=0.01, peak_factor=0.8, final_factor=0.5
    )
    counts = np.arange(sum(lengths))
    got, want = values(jax.jit(ours), counts), values(jax.jit(theirs), counts)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("multiplier", [1, 2])
def test_counts_may_be_fractions(multiplier):
    """SGDR counts epochs in batches: T_cur = 0.1, 0.2, ...; here T_0 = 10 epochs (S-SCH-09)."""
    rate = schedules.cosine_restarts(0.05, 10, multiplier=multiplier)
    epochs = np.array([0.0, 0.1, 2.5, 5.0, 9.9])
    want = 0.025 * (1 + np.cos(np.pi * epochs / 10))
    np.testing.assert_allclose([float(rate(e)) for e in epochs], want, rtol=1e-5, atol=1e-8)
    length = 10 * multiplier
    assert float(rate(10 + length / 2)) == pytest.approx(0.025, rel=1e-5)


@pytest.mark.parametrize(
    "bad, error",
    [
        ({"first_steps": 0}, ValueError),
        ({"multiplier": 0}, ValueError),
        ({"multiplier": 1.5}, TypeError),
        ({"peak_factor": 0.0}, ValueError),
        ({"peak_factor": 1.5}, ValueError),
        ({"final_factor": 1.5}, ValueError),
    ],
)
def test_bad_arguments(bad, error):
    with pytest.raises(error, match=next(iter(bad))):
        schedules.cosine_restarts(**{"initial": 0.1, "first_steps": 10, **bad})
