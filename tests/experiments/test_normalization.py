"""Numbers of the normalisation and activation experiments that have a closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.activations import what_is_a_network_without_activations as linear
from experiments.normalization import _drift as drift
from experiments.normalization import _statistics as statistics
from experiments.normalization import _tuned_starts as starts
from experiments.normalization import does_batch_norm_replace_regularisation as regularisers
from experiments.normalization import is_the_corrected_variance_unbiased as unbiased
from experiments.normalization import what_does_batch_norm_compute as walk
from experiments.normalization import which_axes_do_the_norms_average as axes
from experiments.normalization._sigmoid_net import NORMED, PLAIN
from jaxtricks import models


@pytest.mark.slow
def test_the_walk_is_algorithm_1_in_double_precision():
    results, config = walk.run(walk.SMOKE), walk.SMOKE
    x, gamma, beta = (np.array(rows) for rows in (config.batch, config.gamma, config.beta))
    normalised = (x - x.mean(0)) / np.sqrt(x.var(0) + config.eps)
    np.testing.assert_allclose(results["normalised"], normalised, atol=1e-6)
    np.testing.assert_allclose(results["output"], gamma * normalised + beta, atol=1e-6)
    np.testing.assert_allclose(results["restored"], x, rtol=1e-6)
    assert jnp.shape(results["kurtosis"]) == (2, 2)


@pytest.mark.slow
def test_uncorrected_variances_are_short_by_one_in_n():
    results = unbiased.run(unbiased.Config(sizes=(2, 4), batches=200, features=100, seeds=2))
    for i, size in enumerate((2, 4)):
        for name, share in ((unbiased.BIASED, (size - 1) / size), (unbiased.UNBIASED, 1.0)):
            found = np.asarray(results["means"][name])[i].mean()
            np.testing.assert_allclose(found, share * results["variance"], rtol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("name", axes.WANTED)
def test_a_changed_entry_reaches_what_the_norm_averages_over(name):
    changed = np.asarray(axes.run(axes.Config())["changed"][name])
    assert axes.reach(changed) == axes.WANTED[name]


def percentiles(middle, spread):
    """Of two equal units: `[look, 3, unit]`."""
    rows = np.stack([middle - spread, middle, middle + spread], axis=1)
    return np.repeat(rows[:, :, None], 2, axis=2)


def test_drift_is_of_the_median_and_unrest_of_the_spread():
    swing = np.array([-1.0, 1.0] * 5)
    moving, breathing = percentiles(3 * swing, 2 + 0 * swing), percentiles(0 * swing, 2 + swing)
    np.testing.assert_allclose([drift.drift(moving), drift.unrest(moving)], [1.5, 0.0])
    np.testing.assert_allclose([drift.drift(breathing), drift.unrest(breathing)], [0.0, 0.5])


def test_shift_is_the_farthest_from_the_first_median():
    middle = np.array([1.0, 0.0, 4.0, 2.0])
    assert drift.shift(percentiles(middle, 2 + 0 * middle)) == pytest.approx(1.5)


def test_choices_take_the_least_mean_and_the_best_deviation():
    errors = np.array([[[9.0, 7.0], [5.0, 6.0]], [[2.0, 3.0], [8.0, 8.0]]])
    rates, best = starts.choices(errors)
    assert rates[0].tolist() == [1, 0] and best[0] == 1
    assert rates.shape == (201, 2) and (best == 1).all()


def test_means_are_apart_by_deviations_of_the_whole_set():
    whole = {"mean": jnp.array([1.0, 2.0]), "var": jnp.array([4.0, 1.0])}
    own = {"mean": jnp.array([3.0, 2.0]), "var": jnp.ones(2)}
    assert statistics.apart(own, whole) == pytest.approx(0.5**0.5)


def test_a_moving_average_tells_what_the_batches_had():
    batches = [{statistics.LAST: {"mean": jnp.array([value])}} for value in (2.0, -1.0, 5.0)]

    def loss(params, model_state, batch, keys, *, train):
        moved = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, model_state, batch)
        return jnp.zeros(1), (moved, {})

    stats = jax.tree.map(jnp.ones_like, batches[0])
    state = {"batch_stats": stats, "seen": statistics.nothing(stats, rows=2)}
    for batch in batches:
        step = statistics.recorded(loss, 0.9)
        state = step({}, state, {"batch_stats": batch}, None, train=True)[1][0]
    np.testing.assert_allclose(state["seen"]["total"][statistics.LAST]["mean"], 6.0, rtol=1e-5)
    np.testing.assert_allclose(state["seen"]["means"], [[2.0, 1.1], [-1.0, 0.89]], rtol=1e-5)


def test_a_regulariser_gains_less_by_the_difference_of_its_gains():
    errors = {
        (PLAIN, regularisers.NEITHER): [9.0, 8.0],
        (PLAIN, regularisers.DROPOUT): [6.0, 6.5],  # gains 3 and 1.5
        (NORMED, regularisers.NEITHER): [7.0, 7.0],
        (NORMED, regularisers.DROPOUT): [6.0, 6.0],  # gains 1 and 1
    }
    results = {
        "arms": {
            f"{net}, {kind}": {
                "trials": {"rate": np.array([0.1])},
                "losses": np.ones((1, 2)),
                "numbers": np.array([0]),
                "tested": {"test error": np.array([values])},
            }
            for (net, kind), values in errors.items()
        }
    }
    assert regularisers.less(results, regularisers.DROPOUT).value == pytest.approx(1.25)


@pytest.mark.slow
def test_one_matrix_replaces_linear_layers_and_no_others():
    x = jax.random.normal(jax.random.key(0), (20, 2))
    for activation, small in ((jax.nn.identity, True), (jax.nn.relu, False)):
        net = models.MLP((8, 8, 2), activation=activation)
        params = net.init(jax.random.key(1), x, train=False)["params"]
        apart = linear.collapse(params, x, net.apply({"params": params}, x, train=False))
        assert (apart < 1e-5) == small
