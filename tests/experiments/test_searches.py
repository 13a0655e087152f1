"""The searches of rate and decay: equal budgets, winners, their gates and their verdicts."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.tuning import _searches as searches
from experiments.tuning import does_a_coarse_search_find_the_region as coarse_to_fine
from experiments.tuning import does_a_second_fine_round_help as rounds
from experiments.tuning import should_rate_and_decay_be_drawn_at_random as at_random
from jaxtricks import tuning

SEEDS = 10


def winners(rate, decay=1e-3, error=5.0):
    values = {"rate": rate, "decay": decay, "test error": error}
    return {key: np.full(SEEDS, value) for key, value in values.items()}


def searched(errors, tested):
    table = {"error": np.array(errors), "test error": np.array(tested)}
    return tuning.Search(table, {}, {"rate": np.linspace(0.01, 0.1, len(errors))})


@pytest.mark.parametrize(
    "rate, decay, passed",
    [
        (0.1, 1e-3, True),
        (0.1, 1e-6, True),
        (0.1, 0.09, False),
        (9.0, 1e-3, False),
        (1.1e-3, 1e-3, False),
    ],
)
def test_a_winner_at_an_end_fails_but_where_there_is_hardly_any_decay(rate, decay, passed):
    assert searches.inside({"all": winners(0.1), "one": winners(rate, decay)}).passed is passed


def test_the_least_decay_takes_under_a_hundredth_of_a_weight():
    """At a rate of 0.5, far above the best ones, in 20 epochs of 63 updates each."""
    step = 0.5 / (1 - searches.MOMENTUM)
    assert (1 - step * searches.SPACE["decay"].low) ** (20 * 63) > 0.99


def test_the_coarse_arm_has_as_many_epochs_as_both_searches():
    config = coarse_to_fine.FULL
    assert config.many * config.short == config.trials * (config.short + config.long)


def test_halving_has_as_many_epochs_as_the_largest_grid():
    config, epochs = at_random.FULL, 0
    left, before = config.halving, 0
    for rung in config.rungs:
        epochs, left, before = epochs + left * (rung - before), math.ceil(left / 3), rung
    assert epochs == config.epochs * math.prod(config.grids[-1])


def test_the_best_so_far_has_the_least_validation_error_and_the_first_of_equals():
    found = searched([9.0, 7.0, 8.0, 7.0, 6.0], [1.0, 2.0, 3.0, 4.0, 5.0])
    assert at_random.best_so_far(found).tolist() == [1.0, 2.0, 2.0, 2.0, 5.0]


@pytest.mark.slow
def test_shifted_intervals_are_as_wide_as_before():
    for seed in range(5):
        space = at_random.shifted(jax.random.key(seed), 0.5)
        for name, axis in searches.SPACE.items():
            decades = np.log10([space[name].low / axis.low, space[name].high / axis.high])
            assert np.ptp(decades) < 1e-6 and abs(decades[0]) <= 0.5
    assert set(space) == {"rate", "decay", "idle"}


@pytest.mark.slow
def test_the_parzen_estimator_comes_nearer_than_random_draws():
    pytest.importorskip("optuna")
    space = {"rate": tuning.log_uniform(1e-5, 10.0)}

    def run(key, trial):
        far = jnp.abs(jnp.log10(trial["rate"]) + 1)
        return {"error": far, "test error": far}

    options = {"by": "error", "progress": False}
    found = at_random.parzen_search(jax.random.key(0), run, space, 40, options)
    drawn = tuning.search(jax.random.key(0), run, space, 40, **options)
    assert len(found.table["error"]) == len(found.hyper_parameters["rate"]) == 40
    later, of_draws = found.table["error"][20:], drawn.table["error"]
    assert np.median(later) < np.median(of_draws) / 2


def coarse_results(after_5, gained):
    """`after_5(rng, final)`: early errors; the fine search's winner is better by `gained`."""
    rng = np.random.default_rng(0)
    final = rng.uniform(5, 90, (SEEDS, 100))
    noise = rng.normal(0, 0.1, SEEDS)
    tested = {name: winners(0.1) for name in (coarse_to_fine.COARSE, coarse_to_fine.MANY)}
    tested = {name: {**row, "test error": 5 + noise} for name, row in tested.items()}
    return {
        "data_set": "mnist",
        "count": 4000,
        "hidden": 100,
        "batch": 64,
        "epochs": np.array([1, 5, 20]),
        "trials": np.array([100, 500]),
        "errors": np.stack([final, after_5(rng, final), final], axis=2),
        "winners": {**tested, coarse_to_fine.FINE: winners(0.1, error=5 - gained)},
    }


@pytest.mark.parametrize(
    "after_5, gained, outcome",
    [
        (lambda rng, final: final + rng.normal(0, 5, final.shape), 0.5, "confirmed"),
        (lambda rng, final: rng.permuted(final, axis=1), 0.5, "refuted"),
        (lambda rng, final: final + rng.normal(0, 5, final.shape), -0.5, "refuted"),
    ],
)
def test_coarse_to_fine_needs_ranks_and_a_better_winner(after_5, gained, outcome):
    (verdict,) = coarse_to_fine.judge(coarse_results(after_5, gained))
    assert verdict.outcome == outcome


def test_equal_errors_have_no_rank_correlation():
    errors = np.stack([np.full(5, 90.0), np.arange(5.0)], axis=1)[None]
    assert coarse_to_fine.rank_correlations(errors, 0).tolist() == [0.0]


@pytest.mark.parametrize(
    "gained, outcome", [(0.5, "confirmed"), (0.0, "no difference"), (-1, "refuted")]
)
def test_a_second_round_must_beat_more_trials(gained, outcome):
    noise = np.random.default_rng(0).normal(0, 0.1, SEEDS)
    more = {**winners(0.1), "test error": 5 + gained + noise}
    (verdict,) = rounds.judge(
        {
            "data_set": "mnist",
            "count": 4000,
            "hidden": 100,
            "batch": 64,
            "epochs": np.array([5, 20]),
            "trials": 100,
            "decades": np.ones((SEEDS, 3, 2)),
            "winners": {rounds.ONE: more, rounds.MORE: more, rounds.SECOND: winners(0.1)},
        }
    )
    assert verdict.outcome == outcome


@pytest.mark.slow
def test_a_longer_run_begins_like_a_shorter_one_and_divergence_is_all_wrong():
    rng = np.random.default_rng(0)
    some = {
        "image": rng.integers(0, 256, (80, 8, 8, 1), np.uint8),
        "label": rng.integers(0, 10, 80),
    }
    learn = searches.learner(some, hidden=4, batch=20)
    trial = {"rate": np.float32([0.05, 1e20]), "decay": np.float32([1e-3, 1e-3])}
    keys = jax.random.split(jax.random.key(0), 2)
    short, long = (
        jax.vmap(searches.for_epochs(learn, epochs), (0, 0, None, None, None))(
            keys, trial, *[some] * 3
        )
        for epochs in (1, 3)
    )
    np.testing.assert_allclose(short["error"], long["error"][:, :1], rtol=1e-5)
    assert np.all(long["error"][1] == searches.DIVERGED)
    assert np.all(long["error"][0] < searches.DIVERGED)
