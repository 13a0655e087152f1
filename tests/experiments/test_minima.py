"""Numbers of the experiments on minima that have a closed form."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.minima import do_only_small_nets_have_bad_minima as script
from experiments.minima._descent import Descent, descent, hessian, is_minimum, lowest_near

LABELS = np.repeat(np.arange(10), np.arange(1, 11) * 2)  # 110 examples, classes of unequal size
SHARE = np.bincount(LABELS) / len(LABELS)


def examples():
    images = np.random.default_rng(0).integers(0, 256, (len(LABELS), 3, 3, 1), np.uint8)
    return {"image": images, "label": LABELS}


@functools.cache
def from_zeros(width):
    how = Descent(
        width, penalty=0.0, rate=0.01, epochs=2, looks=1, batch=10, tolerance=1e-8, longest=1000
    )
    fit = jax.tree.map(lambda rows: rows[None], examples())
    trial = {"gain": jnp.float32(0), "group": 0}
    with jax.enable_x64(True):
        return jax.jit(descent(how))(jax.random.key(0), trial, fit, examples())


@pytest.mark.slow
def test_a_zero_start_learns_the_frequencies_of_the_classes_whatever_the_width():
    """Only the last bias can move, so the least loss is the labels' entropy."""
    entropy = -np.sum(SHARE * np.log(SHARE))
    for width in (2, 5):
        assert float(from_zeros(width)["train"]) == pytest.approx(entropy, abs=1e-9)


@pytest.mark.slow
def test_a_zero_start_ends_at_a_saddle_of_known_curvature():
    """At zero weights the two layers meet in sum_j u_j' G v_j, G = mean of (x, 1) (p - y)'.

    So the lowest eigenvalue is minus the largest singular value of G.
    """
    pixels = examples()["image"].reshape(len(LABELS), -1) / 255
    inputs = np.column_stack([pixels, np.ones(len(LABELS))])
    coupling = inputs.T @ (SHARE - np.eye(10)[LABELS]) / len(LABELS)
    found = from_zeros(2)
    assert float(found["lowest"]) == pytest.approx(-np.linalg.norm(coupling, 2), rel=1e-4)
    assert not is_minimum(found["lowest"], found["highest"])


def test_lowest_near_finds_the_minimum_of_a_valley_and_hessian_its_curvatures():
    scales = jnp.array([1.0, 100.0])

    def loss(x):
        return 0.5 * jnp.sum(scales * (x - 3) ** 2)

    end = jax.jit(lambda x: lowest_near(loss, x, tolerance=1e-4, longest=100))(jnp.zeros(2))
    np.testing.assert_allclose(end, 3, atol=1e-3)
    np.testing.assert_allclose(hessian(loss, end), np.diag(scales), rtol=1e-6)


def made(losses):
    """Results of these ends, `[width, gain, group, seed]`."""
    widths = [2.0 ** (1 + i) for i in range(len(losses))]
    return {"how": {"widths": widths}, "ends": {"train": losses}}


def test_a_gap_that_is_one_over_the_width_halves_with_each_doubling():
    rows = np.random.default_rng(1).normal(size=(1, 1, 4, 10))
    results = made(9 + rows / np.array([2.0, 4.0, 8.0])[:, None, None, None])
    found = script.slope(results, script.gaps(results, "train")["nats"])
    np.testing.assert_allclose(found, -np.log(2))


def test_bad_is_over_twice_the_median_of_all_starts_on_one_training_set():
    losses = np.array([[[[1.0, 1.0, 1.0]], [[1.0, 2.5, 1.9]]]])
    np.testing.assert_array_equal(
        script.bad(made(losses)), [[[[False, False, False]], [[False, True, False]]]]
    )
    assert script.seeds_with(script.bad(made(losses))[0]) == (1, 3)
