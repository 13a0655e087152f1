"""The tuned-budget runner: equal trials, shared keys, fresh seeds, and no NaN among the winners."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.engine import (
    Arm,
    choice_variance,
    choose,
    converged,
    inside_grids,
    not_saturated,
    not_started,
    powered,
    tune,
)
from experiments.engine._sentences import finding

KEY = jax.random.key(0)


def parabola(key, rate):
    """Least at 0.3, without noise."""
    del key
    return (rate - 0.3) ** 2 + 1.0


def draw(key, trial):
    """The key's own number, the same for every trial."""
    del trial
    return jax.random.uniform(key)


def test_the_best_trial_of_a_parabola():
    """Distances from 0.3: 0.2, 0.7, 0.05; and 0.3, 0.1, 0.6."""
    arms = {
        "a": Arm(parabola, np.array([0.5, 1.0, 0.25])),
        1: Arm(parabola, np.array([0, 0.4, 0.9])),
    }
    found = tune(KEY, arms, tuning_seeds=2, seeds=4)
    assert {name: arm.best for name, arm in found.items()} == {"a": 2, 1: 1}
    assert [float(arm.trial) for arm in found.values()] == pytest.approx([0.25, 0.4])
    np.testing.assert_allclose(found["a"].tuning, np.outer([1.04, 1.49, 1.0025], [1, 1]), rtol=1e-6)
    np.testing.assert_allclose(found["a"].tested, np.full(4, 1.0025), rtol=1e-6)


@pytest.mark.slow
def test_the_winner_has_the_least_mean_and_not_the_least_loss():
    """Uniform in [0, 1], mean 0.5, against 0.3 for certain."""

    def loss(key, spread):
        return 0.3 + spread * (jax.random.uniform(key) - 0.3)

    found = tune(KEY, {"a": Arm(loss, np.array([1.0, 0.0]))}, tuning_seeds=200, seeds=1)["a"]
    assert found.tuning[0].min() < found.tuning[1].min()
    assert found.best == 1


def test_no_key_serves_both_tuning_and_test_and_all_arms_share_all():
    """5 tuning keys, seen by each of 3 trials, and 7 others."""
    arms = {name: Arm(draw, np.zeros(3)) for name in ("a", "b")}
    a, b = tune(KEY, arms, tuning_seeds=5, seeds=7).values()
    assert len({*a.tuning[0].tolist(), *a.tested.tolist()}) == 12
    np.testing.assert_array_equal(a.tuning, np.broadcast_to(a.tuning[0], (3, 5)))
    np.testing.assert_array_equal(a.tuning, b.tuning)
    np.testing.assert_array_equal(a.tested, b.tested)


def test_the_tests_are_those_of_the_winner_on_the_first_keys():
    def run(key, trial):
        loss = parabola(key, trial["rate"]) + trial["shift"][0]
        return {"rate": trial["rate"], "drawn": draw(key, trial), "loss": loss}

    trials = {"rate": np.array([0.3, 0.4]), "shift": np.array([[1.0], [0.0]])}
    arm = Arm(run, trials, lambda result: result["loss"])
    found = tune(KEY, {"a": arm}, tuning_seeds=2, seeds=3)["a"]
    np.testing.assert_allclose(found.tuning, [[2.0, 2.0], [1.01, 1.01]], rtol=1e-6)
    assert found.trial["shift"].shape == (1,)
    np.testing.assert_allclose(found.tested["rate"], np.full(3, 0.4), rtol=1e-6)
    fresh = jax.random.split(KEY, 5)[:3]
    np.testing.assert_array_equal(found.tested["drawn"], jax.vmap(jax.random.uniform)(fresh))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_trial_that_is_not_finite_on_one_seed_cannot_win(bad):
    """Trial 0 is the better one, but on the seeds that draw more than a half."""

    def loss(key, trial):
        return jnp.where((trial == 0) & (jax.random.uniform(key) > 0.5), bad, trial)

    found = tune(KEY, {"a": Arm(loss, np.array([0.0, 1.0]))}, tuning_seeds=20, seeds=2)["a"]
    finite = np.isfinite(found.tuning)
    assert finite[0].any() and not finite[0].all()
    assert found.best == 1


def test_no_finite_trial_names_the_arm():
    def loss(key, trial):
        return parabola(key, trial) + jnp.nan

    arms = {"sound": Arm(parabola, np.ones(2)), "wild": Arm(loss, np.ones(2))}
    with pytest.raises(ValueError, match="'wild': none of 2 trials has finite losses"):
        tune(KEY, arms, tuning_seeds=1, seeds=1)


def test_a_winner_may_diverge_in_the_test():
    """That is a finding, and not the tuner's to hide."""

    def run(key, trial):
        return {"tuned": parabola(key, trial), "tested": trial * jnp.nan}

    arm = Arm(run, np.ones(2), lambda result: result["tuned"])
    assert np.isnan(tune(KEY, {"a": arm}, tuning_seeds=1, seeds=3)["a"].tested["tested"]).all()


def test_unequal_budgets_are_refused():
    arms = {"a": Arm(parabola, np.ones(3)), "b": Arm(parabola, np.ones(4))}
    with pytest.raises(ValueError, match="equal numbers of trials, got {'a': 3, 'b': 4}"):
        tune(KEY, arms, tuning_seeds=1, seeds=1)


@pytest.mark.parametrize("trials", [0.1, np.ones(0), {}, (np.ones(2), np.ones(3)), (np.ones(2), 1)])
def test_trials_without_one_first_axis_are_refused(trials):
    with pytest.raises(ValueError, match="'a': trials must be arrays with one first axis"):
        tune(KEY, {"a": Arm(parabola, trials)}, tuning_seeds=1, seeds=1)


@pytest.mark.parametrize("tuning_seeds, seeds", [(0, 1), (1, 0)])
def test_no_seeds_are_refused(tuning_seeds, seeds):
    with pytest.raises(ValueError, match="seeds must be at least 1"):
        tune(KEY, {"a": Arm(parabola, np.ones(2))}, tuning_seeds=tuning_seeds, seeds=seeds)


def test_a_loss_that_is_no_scalar_is_refused():
    arms = {"a": Arm(lambda key, trial: jnp.ones(3), np.ones(2))}
    with pytest.raises(ValueError, match="a loss must be a scalar, got shape \\(3,\\)"):
        tune(KEY, arms, tuning_seeds=1, seeds=1)


def test_arms_of_one_function_share_one_program():
    traced = []

    @jax.jit
    def loss(key, rate):
        traced.append(rate)
        return parabola(key, rate)

    arms = {name: Arm(loss, np.full(3, float(name))) for name in range(4)}
    tune(KEY, arms, tuning_seeds=2, seeds=5)
    assert len(traced) == 1


# The luck of the choice, and the ends of the grid


def noisy(key, rate):
    """Best at 0.3, by less than the noise of a seed."""
    return (np.log10(rate) + 0.5) ** 2 + jax.random.normal(jax.random.fold_in(key, int(10 * rate)))


RATES = np.float32([0.1, 0.3, 1.0])


@pytest.mark.slow
def test_the_choice_is_made_again_for_each_seed():
    arms = {"only": Arm(noisy, RATES)}
    found = tune(jax.random.key(1), arms, tuning_seeds=2, seeds=30, choice="for each seed")["only"]
    assert found.tuning.shape == (30, 3, 2)
    assert len(set(found.best)) > 1
    np.testing.assert_array_equal(found.trial, RATES[found.best])
    keys = jax.random.split(jax.random.key(1), (30, 3))
    want = [noisy(row[0], rate) for row, rate in zip(keys, found.trial, strict=True)]
    np.testing.assert_allclose(found.tested, want, rtol=1e-6)
    np.testing.assert_array_equal(found.best, found.tuning.mean(axis=2).argmin(axis=1))


def test_the_choice_is_resampled():
    """Its variance is that of the means over the trials that resampled tuning seeds choose."""
    arms = {"only": Arm(noisy, RATES)}
    found = tune(jax.random.key(1), arms, tuning_seeds=5, seeds=10)["only"]
    assert len(found.again) == 200 and set(found.others) == {found.best, *found.again.tolist()}
    np.testing.assert_array_equal(found.others[found.best], found.tested)
    means = {i: tested.mean() for i, tested in found.others.items()}
    want = np.var([means[i] for i in found.again])
    assert choice_variance(lambda tested: tested, found) == pytest.approx(want)
    assert choice_variance(lambda one, other: one - other, found, found) == 0


@pytest.mark.parametrize(
    "trials, edge",
    [
        (np.array([0.1, 0.3, 1.0]), ()),
        (np.array([0.3, 1.0, 3.0]), ("rate",)),
        ({"rate": np.array([0.03, 0.1, 0.3])}, ("rate",)),
        (np.array([0.3, 1.0]), ()),  # two values are a choice, and no grid
    ],
)
def test_a_winner_at_the_end_of_its_grid_is_named(trials, edge):
    arms = {"adam": Arm(lambda key, trial: (jax.tree.leaves(trial)[0] - 0.3) ** 2, trials)}
    found = tune(jax.random.key(0), arms, tuning_seeds=1, seeds=1)
    assert found["adam"].at_edge == edge
    gate = inside_grids(found)
    assert gate.passed is (edge == ()) and ("adam (rate)" in gate.text) is (edge != ())


def test_a_metric_at_its_bound_is_no_evidence():
    fine = {"a": [0.9] * 16 + [1.0] * 4, "b": [0.5] * 20}
    assert not_saturated(fine, bounds=[1.0], step=0.01, effect=0.01).passed
    assert not not_saturated(fine, bounds=[1.0], step=0.2, effect=0.01).passed
    bound = not_saturated({"a": [0.9] * 15 + [1.0] * 5}, bounds=[1.0], step=0, effect=1)
    assert not bound.passed and bound.text.startswith("25 % of the seeds of a are at a bound")
    third, narrow, nothing = np.round(np.full(9, 1 / 3), 7), np.full(9, 0.1, np.float32), [np.nan]
    for values in (third, narrow, nothing):
        assert not not_saturated({"a": values}, bounds=[1 / 3, 0.1], step=0, effect=1).passed


def test_a_baseline_has_converged_if_twice_the_updates_change_nothing():
    base = np.array([1.0, 1.1, 0.9, 1.0, 1.05])
    assert converged(base, base + 0.01, effect=0.02).passed
    assert converged(base, base + 0.03, effect=0.02).passed  # within its standard error, 0.033
    assert not converged(base, base + 0.05, effect=0.02).passed
    with pytest.raises(ValueError, match="5 or more seeds"):
        converged(base[:4], base[:4], effect=1)


def test_a_study_that_cannot_decide_is_not_started():
    """Ten seeds: the 97.5 % quantile of t with 9 degrees of freedom is 2.262157."""
    pilot = np.array([-1.0, 0.0, 1.0])  # standard deviation 1
    half = 2.262157 / np.sqrt(10)
    assert powered(pilot, n=10, effect=half / 3 * 1.001).passed
    power = powered(pilot, n=10, effect=half / 3 * 0.999)
    assert not power.passed and power.text.startswith("10 seeds are expected to give ± 0.72")
    verdict = not_started("C-001", power)
    assert verdict.outcome == "undecided" and power.text in finding(verdict)
    with pytest.raises(ValueError, match="C-001: .* the study is to be run"):
        not_started("C-001", powered(pilot, n=10, effect=1.0))


def test_where_the_losses_are_there_the_choice_is_resampled_too():
    """Seed by seed the rates 0 and 1 win in turn, so a resample may choose either."""
    losses, rates = np.array([[1.0, 4.0], [2.0, 2.0], [9.0, 9.0]]), np.array([0.1, 0.2, 0.4])
    asked = []
    found = choose(losses, rates, lambda trial: asked.append(trial) or np.full(3, trial))
    assert (found.best, found.trial, found.at_edge) == (1, 0.2, ())
    assert set(found.again) == {0, 1} == set(asked) and len(found.again) == 200
    assert found.tested.tolist() == [1, 1, 1]
    assert choose(-losses, rates, lambda trial: trial).at_edge == ("rate",)
    with pytest.raises(ValueError, match="'net': none of 3 trials has finite losses"):
        choose(losses * np.nan, rates, lambda trial: trial, name="net")


@pytest.mark.parametrize(
    "gate, words",
    [
        (lambda: powered([1.0, 1.0], n=10, effect=1.0), "of 10 seeds: all 2 values are 1"),
        (lambda: powered([1.0], n=10, effect=1.0), "two or more finite values"),
        (lambda: powered([[1.0, 2.0]], n=10, effect=1.0), "two or more finite values"),
        (lambda: powered([1.0, 2.0], n=1, effect=1.0), "of 1 seeds: too few"),
        (lambda: powered([1.0, 2.0], n=10, effect=0.0), "effect must be over 0"),
        (lambda: converged(np.ones(5), np.ones(5), effect=np.nan), "effect must be over 0"),
        (lambda: not_saturated({}, bounds=[1.0], step=0, effect=1), "0 arms and 1 bounds"),
        (lambda: not_saturated({"a": [1.0]}, bounds=[], step=0, effect=1), "1 arms and 0 bounds"),
        (lambda: not_saturated({"a": [1.0]}, bounds=[1], step=-1, effect=1), "step must be 0 or"),
        (lambda: inside_grids({}), "no winner is given"),
        (lambda: not_saturated({"a": []}, bounds=[1], step=0, effect=1), "a must have one value a"),
        (lambda: not_saturated({"a": [[1]]}, bounds=[1], step=0, effect=1), r"got \(1, 1\)"),
        (lambda: choose(np.ones((2, 3)), np.ones(4), abs), "are not of 4 trials"),
    ],
)
def test_a_control_of_nothing_is_refused(gate, words):
    with pytest.raises(ValueError, match=words):
        gate()
