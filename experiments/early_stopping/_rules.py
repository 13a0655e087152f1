"""Rules that stop a run, replayed on what was recorded of it, and what they lose to an oracle."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.early_stopping import _runs as runs
from jaxtricks import control

PATIENCE = (0, 1, 2, 3, 5, 10, 20, 40)
STRIP = 5  # epochs, of Prechelt's criteria


class Family(NamedTuple):
    """Stopping rules that differ in one number, and the names of the curves that they look at."""

    rule: Callable[[Any], control.ControlRule]
    numbers: tuple[float, ...]
    looks_at: tuple[str, ...]


def patience(most: Any) -> control.ControlRule:
    """Stops when more epochs than `most` have passed without a new best."""
    return control.early_stopping(most, keep_best=False)


ERROR, LOSS = "patience on the error", "patience on the loss"
CRITERIA = {
    "GL": Family(
        lambda alpha: control.generalization_loss(alpha, keep_best=False),
        (1.0, 2.0, 5.0),
        ("validation loss",),
    ),
    "PQ": Family(
        lambda alpha: control.progress_quotient(alpha, STRIP, keep_best=False),
        (0.5, 1.0, 2.0),
        ("validation loss", "train loss"),
    ),
    "UP": Family(
        lambda times: control.successive_increase(times, STRIP, keep_best=False),
        (1, 2, 3),
        ("validation loss",),
    ),
}
FAMILIES = {
    ERROR: Family(patience, PATIENCE, ("validation error",)),
    LOSS: Family(patience, PATIENCE, ("validation loss",)),
    **CRITERIA,
}


@jax.jit
def replay(curves: dict[str, jax.Array]) -> dict[str, dict[str, jax.Array]]:
    """What the rules of each family make of runs `[seed, epoch]`: see `runs.stop`, `[rule, seed]`.

    All rules of a family and all runs are one program.
    """

    def each(family: Family) -> dict[str, jax.Array]:
        def one(number: jax.Array, *observed: jax.Array) -> dict[str, jax.Array]:
            return runs.stop(family.rule(number), *observed)

        observed = [curves[name] for name in family.looks_at]
        seeds = jax.vmap(one, in_axes=(None, *[0] * len(observed)))
        rules = jax.vmap(seeds, in_axes=(0, *[None] * len(observed)))
        return rules(jnp.array(family.numbers), *observed)

    return {name: each(family) for name, family in FAMILIES.items()}


def lost(first: np.ndarray, second: np.ndarray, best: np.ndarray) -> dict[str, np.ndarray]:
    """Points of test error that models lose to an oracle, `[rule, seed]`.

    Args:
        first: errors `[seed, epoch]` of one half of the test images.
        second: errors of the other half.
        best: the epochs `[rule, seed]` of the models, counted from 1.

    Returns:
        "lost" to the lowest error of the run on all test images, and "lost to a fresh oracle", that
        chooses its epoch by one half and is measured on the other, the mean of both ways.
    """
    every = (first + second) / 2
    ways = [
        [runs.at(measured, row) - runs.at(measured, 1 + chosen.argmin(axis=1)) for row in best]
        for chosen, measured in ((first, second), (second, first))
    ]
    return {
        "lost": np.stack([runs.at(every, row) for row in best]) - every.min(axis=1),
        "lost to a fresh oracle": np.mean(ways, axis=0),
    }


def at_equal_cost(setting: dict[str, Any], family: str) -> np.ndarray:
    """Points that rules lose more than patience on the loss that trains as many epochs, `[rule]`.

    Between two patiences the points are taken on a line; beyond the last one they are the last's.

    Args:
        setting: of each family "lost" and "trained" `[rule, seed]`.
        family: whose rules they are.
    """
    means = {
        name: {what: setting[name][what].mean(axis=1) for what in ("lost", "trained")}
        for name in (family, LOSS)
    }
    equal = np.interp(means[family]["trained"], means[LOSS]["trained"], means[LOSS]["lost"])
    return means[family]["lost"] - equal
