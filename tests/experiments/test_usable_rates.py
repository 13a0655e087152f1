"""Largest usable rates and arrivals at a target, and the claims that are judged by them."""

import dataclasses

import jax
import numpy as np
import pytest

from experiments.lab import rates
from experiments.learning_rate import _warmups as warmups
from experiments.learning_rate import does_warmup_permit_larger_rates as warm
from experiments.learning_rate._warmups import KINDS, LINEAR, NONE, Budget
from experiments.normalization import _rate_runs as runs
from experiments.normalization import how_large_a_rate_does_batch_norm_allow as norm
from experiments.normalization._sigmoid_net import NORMED, PLAIN

SEEDS = 10


def test_rates_are_a_quarter_of_an_octave_apart_from_a_place_of_their_own():
    grids = [rates.moved_rates(key, 0.5, 2.0) for key in jax.random.split(jax.random.key(0), 20)]
    for grid in grids:
        assert len(grid) == 9 and 0.5 <= grid[0] < 0.5 * 2**0.25
        np.testing.assert_allclose(grid[1:] / grid[:-1], 2**0.25, rtol=1e-6)
    assert len({grid[0].item() for grid in grids}) == 20


def test_half_of_the_first_loss_and_nan_are_not_usable():
    assert rates.usable([2.0, 2.0, 2.0], [0.99, 1.0, np.nan]).tolist() == [True, False, False]


def grid(limits, lowest=1.0, octaves=3.0):
    """Runs whose loss ends low up to each seed's limit, in octaves, and high above it."""
    keys = jax.random.split(jax.random.key(1), len(limits))
    tried = np.stack([rates.moved_rates(key, lowest, octaves) for key in keys])
    last = np.where(np.log2(tried) <= np.asarray(limits)[:, None], 0.1, 9.0)
    return {"rates": tried, "first": np.full_like(tried, 2.4), "last": last}


def test_the_largest_usable_rate_is_less_than_a_step_under_the_limit():
    limits = np.linspace(1.0, 2.0, SEEDS)
    below = limits - rates.largest_usable(grid(limits))
    assert (below >= -1e-6).all() and (below < rates.STEP).all() and np.ptp(below) > 0.1


@pytest.mark.parametrize("limit, passed", [(1.5, True), (-1.0, False), (9.0, False)])
def test_rates_that_are_all_or_never_usable_are_at_an_end(limit, passed):
    arms = {"good": grid([1.5] * SEEDS), "other": grid([limit] * SEEDS)}
    assert [gate.passed for gate in rates.inside_grid(arms, effect=0.5)] == [passed, passed]


def test_one_seed_at_an_end_is_too_many_for_the_edge_alone():
    saturated, edge = rates.inside_grid({"good": grid([1.5] * 9 + [9.0])}, effect=0.5)
    assert saturated.passed and not edge.passed


@pytest.mark.parametrize(
    "errors, updates",
    [([50, 9, 20, 9, 8, 30], 400), ([9, 9, 9, 9, 9, 9], 100), ([50, 50, 50, 50, 50, 9], 1200)],
)
def test_a_run_arrives_at_the_first_of_two_looks(errors, updates):
    assert int(rates.arrivals(np.array(errors), 10.0, 100)) == updates


def arm(steps, errors=5.0, best=1):
    """An arm whose best rate is the second of three, with the updates of each judged seed."""
    steps = np.asarray(steps, float)
    losses = np.full((3, 5), 4.0)
    losses[best] = 3.0
    tested = {
        runs.STEPS: np.log10(steps)[None],
        "arrived": (steps <= 5000)[None],
        "errors": np.full((1, SEEDS, 4), errors),
    }
    trials = {"rate": np.array([1.0, 2.0, 4.0])}
    return {"trials": trials, "losses": losses, "numbers": [best], "tested": tested}


def planted(*, normed=None, slow=None, octaves=1.5, best=1, error=5.0):
    """Results in which batch norm gains so many octaves and arrives in half of the updates."""
    noise = np.linspace(-50, 50, SEEDS)
    times = np.array([20.0, 30, 25, 22, 28]) * 1000
    slow = arm(20_000 + 9 * noise if slow is None else slow)
    slow["tested"]["arrived"] = slow["tested"][runs.STEPS] < 5
    limits = np.linspace(1.0, 1.4, SEEDS)
    return {
        "data_set": "mnist",
        "images": 4000,
        "task": dataclasses.asdict(runs.Task()),
        "share": 0.1,
        "longer": 10,
        "grid": {PLAIN: grid(limits), NORMED: grid(limits[::-1] + octaves)},
        "arms": {
            PLAIN: arm(1500 + noise[::-1], errors=error, best=best),
            NORMED: arm(750 + noise if normed is None else normed),
            norm.SLOW: slow | {"once": np.log10(times), "twice": np.log10(times)},
        },
    }


def outcomes(results):
    return {verdict.subject: verdict.outcome for verdict in norm.judge(results)}


@pytest.mark.parametrize(
    "change, slower, larger",
    [
        ({}, "confirmed", "confirmed"),
        ({"octaves": 0.0}, "confirmed", "refuted"),
        ({"octaves": 1.8}, "confirmed", "undecided"),  # up to the end of the rates
        ({"normed": 1500 + 90 * np.arange(SEEDS)}, "confirmed", "refuted"),
        ({"slow": np.full(SEEDS, 1e5)}, "refuted", "confirmed"),
        ({"slow": 700 + 9 * np.arange(SEEDS)}, "refuted", "confirmed"),
        ({"best": 2}, "undecided", "undecided"),
        ({"error": 7.5}, "undecided", "confirmed"),
    ],
)
def test_batch_norm_is_judged_by_rates_and_by_updates(change, slower, larger):
    assert outcomes(planted(**change)) == {"C-104": slower, "C-106": larger}


def test_a_run_that_never_arrives_is_judged_by_ranks():
    steps = np.full(SEEDS, 700.0) + np.arange(SEEDS)
    steps[0] = 10_000
    (part,) = [p for v in norm.judge(planted(normed=steps)) for p in v.parts if "best" in p.text]
    assert part.estimate == pytest.approx(np.log10(700 / 1500), abs=0.02)  # the mean is -0.21


def test_warmups_reach_the_peak_after_their_length():
    none, constant, linear = (warmups.table(kind, 0.8, Budget(8, 50, 20), 0.0125) for kind in KINDS)
    np.testing.assert_allclose(none, np.full(50, 0.8), rtol=1e-6)
    np.testing.assert_allclose(constant, [0.0125] * 20 + [0.8] * 30, rtol=1e-6)
    np.testing.assert_allclose(linear[[0, 9, 19, 20, 49]], [0.04, 0.4, 0.8, 0.8, 0.8], rtol=1e-6)


def warmed(octaves):
    """Results in which a linear warmup gains so many octaves."""
    limits = np.linspace(1.4, 1.6, SEEDS)
    arms = {NONE: grid(limits), LINEAR: grid(limits[::-1] + octaves)}
    found = {"errors": np.full((SEEDS, 4), 5.0), "test": np.full(SEEDS, 6.0)}
    names = [f"{kind}, {place}" for kind in KINDS for place in (warm.JUDGE, warm.GOYAL)]
    return {
        "data_set": "mnist",
        "images": 4000,
        "config": dataclasses.asdict(warm.Config()),
        "grid": {kind: arm | {"test": arm["last"]} for kind, arm in arms.items()},
        "high": warm.too_high(arms[NONE]),
        "rule": 0.8,
        "curves": dict.fromkeys([*names, warm.SMALL], found),
    }


@pytest.mark.parametrize(
    "octaves, outcome",
    [(1.0, "confirmed"), (0.0, "no difference"), (-0.5, "refuted"), (2.5, "undecided")],
)
def test_warmup_is_judged_by_the_octaves_it_gains(octaves, outcome):
    results = warmed(octaves)
    (verdict,) = warm.judge(results)
    assert verdict.outcome == outcome
    assert results["high"] > 2 ** rates.largest_usable(results["grid"][NONE]).max()
