"""Rates on a parabola: losses are those of the closed form, and the suggestion follows."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import optimizers, training, tuning

KEY = jax.random.key(0)
EXAMPLES = {"x": jnp.ones(6)}
START = {"params": jnp.zeros(())}


def parabola(params, model_state, batch, keys, *, train):
    return (params - batch["x"]) ** 2, (model_state, {})


def make_trainer(rate):
    return training.trainer(parabola, optax.sgd(rate))


def find(rates, updates=20, batch_size=6, make=make_trainer, **options):
    return tuning.find_learning_rate(
        make, START, EXAMPLES, key=KEY, rates=rates, updates=updates, batch_size=batch_size,
        **options,
    )  # fmt: skip


def sweep(updates=40, make=make_trainer, **options):
    return tuning.sweep_learning_rate(
        make, START, EXAMPLES, key=KEY, updates=updates, batch_size=6, **options
    )


@pytest.mark.parametrize("batch_size", [6, 2])
def test_losses_are_those_of_gradient_descent(batch_size):
    """All examples are equal, so the batches do not matter, nor that there are several epochs."""
    rates = (0.001, 0.03, 0.4, 0.9)
    found = find(rates, batch_size=batch_size)
    want = (1 - 2 * np.array(rates)[:, None]) ** (2 * np.arange(20))
    np.testing.assert_allclose(found.losses, want, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(found.scores, want[:, -2:].mean(axis=1), rtol=1e-4, atol=1e-9)
    assert (found.best, found.at_edge) == (0.4, False)


def test_the_edge_is_named_and_where_nothing_falls_there_is_no_suggestion():
    assert find((0.001, 0.01, 0.1)).at_edge
    found = find((1.5, 3.0))
    assert found.best is None and not found.at_edge


def test_a_run_that_diverges_is_nan_from_there_on_and_costs_the_others_nothing():
    found = find((0.1, 1e25))
    assert np.isfinite(found.losses[0]).all() and found.best == pytest.approx(0.1)
    bad = np.isnan(found.losses[1])
    assert bad[-1] and not bad[0] and (np.diff(bad.astype(int)) >= 0).all()


def test_variables_are_left_alone_and_all_rates_see_the_same_batches():
    examples = {"x": jnp.arange(6.0)}
    start = {"params": jnp.ones(())}
    found = tuning.find_learning_rate(
        make_trainer, start, examples, key=KEY, rates=(1e-9, 2e-9), updates=10, batch_size=2
    )
    np.testing.assert_allclose(found.losses[0], found.losses[1], rtol=1e-5)
    assert len(np.unique(found.losses[0])) > 3
    assert float(start["params"]) == 1.0


def test_a_sweep_has_the_losses_of_its_schedule():
    found = sweep(low=1e-3, high=0.4, smoothing=0.0)
    rates = 1e-3 * 400 ** (np.arange(40) / 39)
    np.testing.assert_allclose(found.rates, rates, rtol=1e-5)
    want = np.concatenate([[1.0], np.cumprod((1 - 2 * rates[:-1]) ** 2)])
    np.testing.assert_allclose(found.losses, want, rtol=1e-4)
    np.testing.assert_allclose(found.scores, want, rtol=1e-4)
    assert found.best == pytest.approx(rates[np.argmin(np.gradient(want))], rel=1e-5)


def test_a_sweep_promotes_nothing_by_itself():
    with jax.numpy_dtype_promotion("strict"):
        found = sweep(low=1e-3, high=0.4)
    chex.assert_trees_all_equal(found, sweep(low=1e-3, high=0.4))


@pytest.mark.parametrize("ends", [{"low": 1e-60}, {"high": 1e39}])
def test_the_ends_of_a_sweep_are_numbers_of_single_precision(ends):
    with pytest.raises(ValueError, match=next(iter(ends))):
        sweep(**ends)


def test_smoothing_is_the_weighted_mean_of_the_losses_so_far():
    found = sweep(smoothing=0.8)
    for t in (0, 1, 7, 39):
        weights = 0.8 ** np.arange(t, -1, -1)
        mean = np.average(found.losses[: t + 1], weights=weights)
        np.testing.assert_allclose(found.scores[t], mean, rtol=1e-5)


def test_a_sweep_takes_rules_that_take_schedules_and_says_if_nothing_falls():
    found = sweep(make=lambda rate: training.trainer(parabola, optimizers.adam(rate)))
    assert 1e-6 < found.best < 1.0
    assert sweep(low=1.5, high=9.0).best is None


@pytest.mark.parametrize(
    "rates",
    [
        (0.1,),
        (0.2, 0.1),
        (0.0, 0.1),
        (0.1, float("nan")),
        (0.1, 1e50),
        (1e-60, 0.1),
        (0.1, 0.1 + 1e-12),
    ],
)
def test_bad_rates_are_named(rates):
    with pytest.raises(ValueError, match="rates"):
        find(rates)


@pytest.mark.parametrize(
    "change, error",
    [
        ({"updates": 9}, ValueError),
        ({"batch_size": 7}, ValueError),
        ({"batch_size": 0}, ValueError),
    ],
)
def test_other_bad_values_are_named(change, error):
    (name,) = change
    with pytest.raises(error, match=name):
        find((0.1, 0.2), **change)


def test_what_makes_no_trainer_is_named():
    with pytest.raises(TypeError, match="make_trainer must return a Trainer"):
        find((0.1, 0.2), make=optax.sgd)
    with pytest.raises(ValueError, match="low must be below high"):
        sweep(low=0.1, high=0.01)
