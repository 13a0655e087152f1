"""The race of a batch size to a target, and the seconds of an update."""

import jax
import numpy as np
import pytest

from experiments import lab
from experiments.batches import _seconds
from experiments.lab import tasks

RACER = _seconds.Racer(tasks.Task("breast cancer"), 16, 8)
KEYS = jax.random.split(jax.random.key(0), 2)


def test_the_limit_counts_whole_batches():
    assert RACER.limit == 8 * (398 // 16)


@pytest.mark.slow
@pytest.mark.parametrize("target, octaves", [(1e9, -np.log2(192)), (-1.0, 0.0)])
def test_a_run_arrives_at_its_first_look_or_not_at_all(target, octaves):
    shared = (tasks.data_of("breast cancer").examples, target)
    found = lab.over(_seconds.race(RACER), {"rate": np.float32([0.1])}, KEYS, shared)
    np.testing.assert_allclose(found["octaves"], np.full((1, 2), octaves), rtol=1e-6)
    assert (found["step"] > 0).all() == (target > 0)


@pytest.mark.slow
def test_a_lower_target_takes_more_updates_and_a_diverging_run_never_arrives():
    examples, run = tasks.data_of("breast cancer").examples, _seconds.race(RACER)
    rates = {"rate": np.float32([0.1, 1e30])}
    near, far = (lab.over(run, rates, KEYS, (examples, t))["octaves"] for t in (0.4, 0.15))
    assert (near[0] < far[0]).all() and (far[0] < 0).all()
    assert (far[1] == 0).all()


@pytest.mark.slow
def test_seconds_are_measured_as_often_as_asked_for():
    found = _seconds.seconds(RACER, updates=4, repeats=1, times=3)
    assert found.shape == (3,) and (found > 0).all()
