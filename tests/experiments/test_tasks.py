"""The twelve small tasks: none twice, divided anew by every seed, and their objective."""

import jax
import numpy as np
import pytest

from experiments import lab
from experiments.lab import tasks
from jaxtricks import optimizers

KEYS = jax.random.split(jax.random.key(0), 2)


def test_no_two_tasks_share_data_and_network():
    names = [task.name for task in tasks.TASKS]
    assert len(set(names)) == len(names) == 12
    assert len({task.data_set for task in tasks.TASKS}) == 4


def test_every_seed_divides_the_examples_anew_and_uses_each_once():
    examples = {"image": np.arange(10.0)[:, None], "label": np.arange(10)}
    divisions = [tasks.divide(key, examples, (5, 2)) for key in KEYS]
    for sets in divisions:
        assert [len(some["label"]) for some in sets] == [5, 2, 3]
        assert sorted(np.concatenate([some["label"] for some in sets])) == list(range(10))
        np.testing.assert_array_equal(sets[0]["image"][:, 0], sets[0]["label"])
    assert divisions[0][0]["label"].tolist() != divisions[1][0]["label"].tolist()


def test_a_tables_columns_are_standardised():
    data = tasks.data_of("breast cancer")
    assert (len(data.examples["label"]), data.sizes) == (569, (398, 85))
    np.testing.assert_allclose(data.examples["image"].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(data.examples["image"].std(axis=0), 1, rtol=1e-5)


def test_the_penalty_leaves_biases_out():
    params = {"Dense_0": {"kernel": np.array([[1.0, 2.0]]), "bias": np.array([7.0, 7.0])}}
    assert float(tasks.penalty(params)) == pytest.approx(5 / 2 * tasks.PENALTY)


def descent(trial, updates):
    del updates
    return optimizers.gradient_descent(trial["rate"])


@pytest.mark.slow
def test_the_objective_counts_the_penalty_and_is_capped():
    """At the rate 0 the weights stay at their start; at an absurd one they are worth the worst."""
    task = tasks.Task("breast cancer", epochs=1)
    run = tasks.learner(task, descent)
    trials = {"rate": np.array([0.0, 1e30], np.float32)}
    found = lab.over(run, trials, KEYS, (tasks.data_of(task.data_set).examples,))
    assert (found["objective"][0] > np.log10(0.1)).all()
    np.testing.assert_allclose(found["objective"][1], np.log10(tasks.WORST), rtol=1e-6)
    assert (found["test error"][0] > 5).all() and (found["test error"][1] >= 20).all()
