"""Numbers of the experiments on penalties that have a closed form, and verdicts that can fail."""

import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.penalties import _nets as nets
from experiments.penalties import _sparse_regression as sparse
from experiments.penalties import are_l2_and_weight_decay_the_same as decay
from experiments.penalties import (
    do_penalties_pull_the_weights_to_zero as pull,
)
from experiments.penalties import (
    does_a_penalty_prevent_over_fitting as prevent,
)
from experiments.penalties import (
    does_one_strength_mean_one_penalty as strength,
)
from experiments.penalties import (
    does_the_penalty_raise_the_loss as grow,
)
from experiments.penalties import (
    should_a_penalty_leave_out_the_biases as biases,
)
from experiments.penalties import what_do_over_and_well_fitted_curves_look_like as curves


def outcomes(script, results):
    return {verdict.subject: verdict.outcome for verdict in script.judge(results)}


def plain(results):
    """As a record has them."""
    return jax.tree.map(np.asarray, copy.deepcopy(results))


@pytest.fixture(scope="module")
def steps():
    return plain(decay.run(decay.SMOKE))


@pytest.mark.slow
def test_descent_on_the_penalised_valley_is_a_power_of_a_matrix(steps):
    """With H the valley's curvature, w - w* shrinks by 1 - alpha (H + lambda) a step."""
    config = decay.SMOKE
    turn = np.array([[np.cos(np.pi / 6), -np.sin(np.pi / 6)], [np.sin(np.pi / 6), 3**0.5 / 2]])
    curvature = turn @ np.diag(config.curvatures) @ turn.T
    penalised = curvature + config.strength * np.eye(2)
    minimum = np.linalg.solve(penalised, curvature @ np.array(config.centre))
    np.testing.assert_allclose(steps["minimum"], minimum, rtol=1e-12)
    shrink = np.eye(2) - dict(config.rates)["gradient descent"] * penalised
    start = np.array(config.start) - minimum
    for form in ("L2", "decay"):
        for t in (1, 7, 30):
            want = minimum + np.linalg.matrix_power(shrink, t) @ start
            found = steps["paths"]["gradient descent"][form][t]
            np.testing.assert_allclose(found, want, rtol=1e-12)


@pytest.mark.slow
def test_the_first_step_of_l2_under_adam_has_the_size_of_the_rate(steps):
    """Whatever the penalty; the decay comes on top of it."""
    rate, start = dict(decay.SMOKE.rates)["adam"], np.array(decay.SMOKE.start)
    l2, decayed = (steps["paths"]["adam"][form][1] - start for form in ("L2", "decay"))
    np.testing.assert_allclose(np.abs(l2), rate, rtol=1e-6)
    np.testing.assert_allclose(np.abs(decayed + rate * 0.5 * start), rate, rtol=1e-6)


@pytest.mark.slow
def test_what_differs_from_decay_refutes_and_what_does_not_fails_the_control(steps):
    assert outcomes(decay, plain(steps)) == {"C-063": "confirmed", "E-81": "confirmed"}
    off = plain(steps)
    off["printed"] = off["printed"] + 1e-9
    assert outcomes(decay, off)["C-063"] == "refuted"
    alike = plain(steps)
    alike["apart"]["adam"] = np.zeros(31)
    assert outcomes(decay, alike) == {"C-063": "undecided", "E-81": "refuted"}


@pytest.mark.slow
def test_one_strength_is_twice_the_decay_without_the_half():
    results = strength.run(strength.SMOKE)
    count = np.arange(11)
    np.testing.assert_allclose(results["shrunk"]["True"], 0.98**count, rtol=1e-12)
    np.testing.assert_allclose(results["shrunk"]["False"], 0.96**count, rtol=1e-12)
    for examples, found in zip(results["examples"], results["ridges"], strict=True):
        assert found["rates"]["mean"] / found["rates"]["sum"] == pytest.approx(examples, rel=1e-9)
    assert results["converted"] == pytest.approx(1e-4 / 60_000)
    assert outcomes(strength, plain(results)) == {"E-22": "confirmed", "E-23": "confirmed"}
    for found in results["ridges"]:
        found["converted apart"] = 1e-3
    assert outcomes(strength, plain(results))["E-23"] == "refuted"


@pytest.mark.slow
def test_minima_of_orthogonal_features_are_thresholds():
    """With X'X = n, each weight's minimum is that of (w - z)^2 / 2 and its own penalty."""
    with jax.enable_x64(True):
        z = jnp.array([2.0, -0.7, 0.3, -0.1])
        inputs = 2 * jnp.eye(4)
        given = sparse.Problem(inputs, 2 * z, z)
        found = {
            name: sparse.minimise(name, jnp.array(0.5), given, 50) for name in sparse.PENALTIES
        }
        quarter = np.sign(z) * np.maximum(np.abs(z) - 0.25, 0)
        want = {
            "L1": np.sign(z) * np.maximum(np.abs(z) - 0.5, 0),
            "elastic net": quarter / 1.25,  # half of it L1's, the square's curvature the other half
            "L2": np.asarray(z) / 1.5,
        }
        for name, weights in want.items():
            np.testing.assert_allclose(found[name]["weights"], weights, atol=1e-14)
            assert float(found[name]["gradient"]) < 1e-14
            theirs = sparse.by_coordinate_descent(name, (0.5,), given)[0]
            np.testing.assert_allclose(theirs, weights, atol=1e-12)
        assert [int(np.sum(found[name]["weights"] == 0)) for name in sparse.PENALTIES] == [2, 1, 0]


def pulled(change=0.0, gradient=0.0, apart=0.0):
    """Results of a run in which a norm changed by so much where it rose most."""
    minimum = {
        "norms": {kind: np.ones((2, 3)) for kind in pull.NORMS},
        "rises": {kind: np.full(3, change) for kind in pull.NORMS},
        "zeros": np.zeros((2, 3)),
        "gradient": gradient,
        "apart": apart,
    }
    return {
        "strengths": np.array([0.1, 1.0]),
        "steps": 10,
        "shown": 1.0,
        "ways": {"zeros": {}},
        "nets": {},
        **dict.fromkeys(sparse.PENALTIES, minimum),
    }


@pytest.mark.parametrize(
    "results, outcome",
    [
        (pulled(-1.0), "confirmed"),
        (pulled(1e-7), "confirmed"),
        (pulled(1e-5), "refuted"),
        (pulled(-1.0, gradient=1e-7), "undecided"),
        (pulled(-1.0, apart=1e-5), "undecided"),
    ],
)
def test_a_norm_that_rises_refutes_and_an_inexact_minimum_decides_nothing(results, outcome):
    assert outcomes(pull, results) == {"C-064": outcome}


@pytest.mark.slow
def test_the_loss_grows_by_the_penalty():
    results = grow.run(grow.SMOKE)
    sizes = results["sizes"]
    both = sizes["L1"] + grow.BETA * 2 * sizes["L2, halved"]
    assert sizes["elastic net"] == pytest.approx(both)
    assert outcomes(grow, plain(results)) == {"C-066": "confirmed"}
    off = plain(results)
    off["off"]["float64"]["L1"][0] = 2e-6
    assert outcomes(grow, off) == {"C-066": "refuted"}
    changed = plain(results)
    changed["at zero"]["L2"] = 1e-9
    assert outcomes(grow, changed) == {"C-066": "undecided"}


def test_legendre_polynomials_are_numpys():
    x = np.linspace(-1, 1, 7)
    with jax.enable_x64(True):
        found = curves.legendre(jnp.asarray(x), 12)
    np.testing.assert_allclose(found, np.polynomial.legendre.legvander(x, 12), atol=1e-14)


@pytest.mark.slow
def test_the_test_error_is_high_at_both_ends_and_the_training_error_rises():
    results = curves.run(curves.Config(strengths=(-7.0, 2.0, 10), seeds=30))
    train, test = (np.log10(results[kind]).mean(axis=0) for kind in ("train", "test"))
    best = np.argmin(test)
    assert 0 < best < len(test) - 1
    assert min(test[0], test[-1]) > test[best] + 0.3
    assert np.all(np.diff(train) > -1e-6)


@pytest.mark.slow
def test_a_shift_of_the_data_moves_the_bias_alone_if_it_is_not_penalised():
    """x + c has the scores of x with the bias b - w c."""
    with jax.enable_x64(True):
        key, strong = jax.random.key(0), jnp.array(0.1)
        (near, sign), (far, same) = (biases.clouds(key, jnp.array(c), 100) for c in (0.0, 5.0))
        np.testing.assert_array_equal(sign, same)
        first, second = (biases.minimum(x, sign, strong, 0.0) for x in (near, far))
        np.testing.assert_allclose(second[:-1], first[:-1], rtol=1e-9)
        assert float(second[-1]) == pytest.approx(float(first[-1] - 5 * first[0]), rel=1e-9)
        held = biases.minimum(far, sign, strong, 1e9)
        assert abs(float(held[-1])) < 1e-8


@pytest.mark.slow
def test_the_masked_penalty_leaves_biases_where_they_are():
    with jax.enable_x64(True):
        assert {name: float(value) for name, value in biases.masked_gradient().items()} == {
            "biases": 0.0,
            "weights": 0.0,
        }
        left = biases.one_step()
    assert float(left["masked"]) == 1 and float(left["torch"]) == pytest.approx(0.99)


def test_masks_of_weights_and_biases_share_the_parameters():
    assert nets.biases_only(biases.layers()) == {"Dense_0": {"kernel": False, "bias": True}}


def fitted(gap_slope=-0.1, loss_slope=0.1, free_gap=0.5, best=2):
    """Results of ten seeds with these slopes."""
    strengths = np.array([0.0, 1e-4, 1e-3, 1e-2, 1e-1])
    noise = 1e-3 * np.random.default_rng(0).normal(size=(5, 10))
    logs = np.array([-5.0, -4.0, -3.0, -2.0, -1.0])[:, None]
    train = 0.6 + loss_slope * logs + noise
    test = train + free_gap + gap_slope * (logs + 5) + noise[::-1]
    chosen = np.abs(np.arange(5.0) - best)[:, None] + noise
    error = np.zeros((5, 10))
    sets = {"train": train, "test": test, "validation": chosen}
    found = {name: {"loss": values, "error": error} for name, values in sets.items()}
    return {
        "data_set": "digits",
        "examples": (1000, 500),
        "epochs": 1,
        "strengths": strengths,
        "L2": found,
        "L1": found,
    }


def test_slopes_are_those_of_lines():
    results = fitted()
    rise = prevent.slopes(results["strengths"], results["L2"]["train"]["loss"])
    np.testing.assert_allclose(rise, 0.1, atol=5e-3)


@pytest.mark.parametrize(
    "results, outcome",
    [
        (fitted(), "confirmed"),
        (fitted(gap_slope=0.1), "refuted"),
        (fitted(loss_slope=0.001), "refuted"),
        (fitted(free_gap=0.05), "undecided"),
        (fitted(best=1), "undecided"),
        (fitted(best=4), "undecided"),
    ],
)
def test_a_gap_that_does_not_fall_refutes_and_a_poor_fit_decides_nothing(results, outcome):
    assert outcomes(prevent, results) == {"C-062": outcome}
