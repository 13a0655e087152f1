"""Numbers of the experiments on minima that have a closed form."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.minima._ends import trainer
from experiments.minima._spread import trend
from experiments.minima.do_only_small_nets_have_bad_minima import bad

LABELS = np.repeat(np.arange(10), np.arange(1, 11) * 2)  # 110 examples, classes of unequal size


def examples():
    images = np.random.default_rng(0).integers(0, 256, (len(LABELS), 3, 3, 1), np.uint8)
    return {"image": images, "label": LABELS}


@functools.cache
def from_zeros(width, *, curved):
    run = jax.jit(trainer(width, steps=300, marks=3, curved=curved))
    return run(jax.random.key(0), jnp.array(0.0), examples(), examples())


@pytest.mark.slow
def test_a_zero_start_learns_the_frequencies_of_the_classes_whatever_the_width():
    """Only the last bias can move, so the least loss is the labels' entropy."""
    share = np.bincount(LABELS) / len(LABELS)
    entropy = -np.sum(share * np.log(share))
    small, large = from_zeros(2, curved=True)["train"], from_zeros(5, curved=False)["train"]
    np.testing.assert_allclose(small, large, rtol=1e-6)
    assert entropy <= small[-1] < entropy + 0.01 < np.log(10) - 0.1


@pytest.mark.slow
def test_a_zero_start_ends_at_a_saddle_of_known_curvature():
    """At zero weights the two layers meet in sum_j u_j' G v_j, G = mean of (x, 1) (p - y)'.

    So the lowest eigenvalue is minus the largest singular value of G.
    """
    lowest = np.linalg.eigvalsh(from_zeros(2, curved=True)["hessian"])[0]
    pixels = examples()["image"].reshape(len(LABELS), -1) / 255
    inputs = np.column_stack([pixels, np.ones(len(LABELS))])
    share = np.bincount(LABELS) / len(LABELS)
    coupling = inputs.T @ (share - np.eye(10)[LABELS]) / len(LABELS)
    assert lowest == pytest.approx(-np.linalg.norm(coupling, 2), rel=0.05)


def test_trend_of_a_spread_that_is_one_over_the_width():
    widths = np.array([2.0, 8.0, 32.0])
    losses = 3 + np.random.default_rng(1).normal(size=(20, 1)) / widths
    verdict = trend("C-129", losses, widths, "made")
    assert verdict.outcome == "confirmed"
    assert [verdict.estimate, verdict.low, verdict.high] == pytest.approx([-1, -1, -1])
    assert trend("C-129", losses[:, ::-1], widths, "made").outcome == "refuted"
    assert trend("C-129", losses[:, :1], widths[:1], "made").outcome == "undecided"


def test_bad_is_over_twice_the_best_of_each_width():
    standard = np.array([[1.0, 3.0], [2.5, 4.0]])
    np.testing.assert_array_equal(bad(standard, standard), [[False, False], [True, False]])
