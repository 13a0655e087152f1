"""What dropout at one half loses to the best other drop rate, in one task with one network."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments import lab
from experiments.dropout import _runs as runs
from experiments.engine import Estimate, Gate

HALF, OTHERS = "half", "others"
FLOORS = {"digits": 5.0, "mnist": 7.0}  # errors in percent of nets without dropout
SHARES = (0.7, 0.15)  # of a table's or of digits' rows: to train with, and to choose by


def read(data_set: str, count: int) -> tuple[dict[str, np.ndarray], tuple[int, int]]:
    """All examples, and how many of them a seed trains with and chooses by; the rest is tested."""
    if data_set == "breast cancer":
        from sklearn import datasets

        inputs, label = datasets.load_breast_cancer(return_X_y=True)
        inputs = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
        examples = {"image": np.float32(inputs), "label": np.int32(label)}
    else:
        images = lab.read(data_set, pool=count, validation=1000, test=5000)
        sets = images[:3]
        examples = {name: np.concatenate([some[name] for some in sets]) for name in sets[0]}
        if images.name == "mnist":
            return examples, (count, 1000)
    size = len(examples["label"])
    train, validation = (round(share * size) for share in SHARES)
    return examples, (train, validation)


@functools.cache
def learner(
    sizes: tuple[int, int], *, hidden: tuple[int, ...], epochs: int, batch: int
) -> Callable[..., dict[str, jax.Array]]:
    """Makes the run of one network, whose key also divides the examples."""

    def run(key: jax.Array, trial: Any, examples: Any) -> dict[str, jax.Array]:
        split_key, *keys = jax.random.split(key, 4)
        size = len(examples["label"])
        rows = jnp.split(jax.random.permutation(split_key, size), np.cumsum(sizes))
        fit, validation, test = ({k: v[part] for k, v in examples.items()} for part in rows)
        learned = runs.learn(keys, trial, fit, hidden=hidden, epochs=epochs, batch=batch)
        found = learned.measured(validation, test)
        return {f"{name} error": found[f"{name} error"] for name in ("train", "validation", "test")}

    return run


def baseline(
    once: Any, twice: Any, losses: Any, rates: Any, tuning: jax.Array, examples: Any
) -> dict[str, Any]:
    """The net without dropout at its best rate, on the tuning seeds, and at twice the updates.

    Args:
        once: from `learner`.
        twice: likewise, with twice the epochs.
        losses: of the net without dropout, shape [rate, tuning seed].
        rates: learning rates.
        tuning: keys of 5 seeds or more.
        examples: from `read`.
    """
    plain = runs.trial([rates[int(np.argmin(np.mean(losses, axis=1)))]])
    found = lab.over(once, plain, tuning, (examples,))
    return {
        "plain": {name: found[name][0] for name in ("train error", "test error")},
        "doubled": lab.over(twice, plain, tuning, (examples,))["test error"][0],
    }


def lost(setting: dict[str, Any]) -> Estimate:
    """Points of test error that 0.5 loses to the best of the others."""
    half, others = (lab.best(setting["arms"][name], name=name) for name in (HALF, OTHERS))
    return runs.difference(lambda h, o: h["test error"] - o["test error"], half, others)


def fits(name: str, setting: dict[str, Any], least: float) -> Gate:
    """Whether the net without dropout learns its training set, over-fits, and is no bad net."""
    train, test = (float(np.mean(setting["plain"][f"{s} error"])) for s in ("train", "test"))
    floor = FLOORS.get(setting["data_set"], 100.0)
    right = train <= 0.5 and test - train >= least and test <= floor
    return Gate("fit", right, f"{name}: training error {train:.2g} %, test error {test:.3g} %")
