"""The largest learning rate that is usable, and after how many updates a run arrives at a target.

A rate is usable if the last loss is under half of the first. Rates are tried a quarter of an octave
apart, on a grid that begins elsewhere for every run of them: limits that are alike in all seeds
would else fall on one and the same rate, and seem to be known for certain.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.engine import Gate, not_saturated

STEP = 0.25  # octaves between two rates


def moved_rates(key: jax.Array, lowest: float, octaves: float) -> np.ndarray:
    """Learning rates a quarter of an octave apart, the first less than that above `lowest`."""
    places = np.arange(0, octaves + STEP / 2, STEP) + STEP * float(jax.random.uniform(key))
    return np.float32(lowest * 2**places)


def usable(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Whether the last loss is under half of the first; a loss of NaN never is."""
    return np.asarray(last) < 0.5 * np.asarray(first)


def largest_usable(arm: Mapping[str, Any]) -> np.ndarray:
    """Logarithm to base 2 of the largest usable rate of each seed.

    Where none is usable it is a grid step below the smallest rate.

    Args:
        arm: the "rates" that were tried, ascending, and the losses "first" and "last", before the
            first and after the last update; each of shape [seed, rate].

    Example:
        >>> last = np.array([[1.0, 9.0, 1.0, 9.0], [3.0, 3.0, 3.0, 3.0]])
        >>> tried = np.array([[1.0, 2.0, 4.0, 8.0]] * 2)
        >>> largest_usable({"rates": tried, "first": np.full((2, 4), 3.0), "last": last}).tolist()
        [2.0, -0.25]
    """
    octaves = np.log2(np.asarray(arm["rates"], np.float64))
    return np.where(usable(arm["first"], arm["last"]), octaves, octaves[:, :1] - STEP).max(axis=1)


def inside_grid(arms: Mapping[str, Mapping[str, Any]], *, effect: float) -> tuple[Gate, Gate]:
    """`sat` and `edge` of the largest usable rates, of which none may be an end of those tried.

    Args:
        arms: each as `largest_usable` takes it.
        effect: octaves that matter.
    """
    steps = {name: np.shape(arm["rates"])[1] - 1 for name, arm in arms.items()}
    places = {
        name: largest_usable(arm) - np.log2(np.asarray(arm["rates"], np.float64)[:, 0])
        for name, arm in arms.items()
    }
    bounds = sorted({-STEP, 0.0, *(STEP * last for last in steps.values())})
    at = {
        name: int(np.sum((found < STEP / 2) | (found > STEP * (steps[name] - 0.5))))
        for name, found in places.items()
    }
    words = ", ".join(f"{number} of {name}" for name, number in at.items())
    edge = Gate(
        "edge", not any(at.values()), f"largest usable rates at an end of the grid: {words}"
    )
    return not_saturated(places, bounds=bounds, step=STEP, effect=effect), edge


def arrivals(errors: Any, target: float, every: int) -> jax.Array:
    """Updates until the errors are at most `target` at two successive looks, the first of them.

    A run that never arrives counts as twice its updates, which is the worst value there can be.

    Args:
        errors: at the looks, which are the last axis.
        target: the error to reach.
        every: updates between two looks.

    Example:
        >>> errors = np.array([[9.0, 20.0, 9.0, 8.0], [50.0, 40.0, 30.0, 9.0]])
        >>> arrivals(errors, 10.0, 100).tolist()
        [300, 800]
    """
    met = jnp.asarray(errors) <= target
    twice = met[..., :-1] & met[..., 1:]
    never = 2 * every * met.shape[-1]
    return jnp.where(twice.any(axis=-1), every * (1 + jnp.argmax(twice, axis=-1)), never)
