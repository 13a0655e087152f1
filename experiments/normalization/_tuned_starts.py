"""The network of the batch-norm paper from Gaussian starts, a rate tuned for every deviation."""

import functools
from collections.abc import Callable
from typing import Any, Protocol

import jax
import numpy as np

from experiments import lab
from experiments.engine import resamples
from experiments.normalization import _sigmoid_net as sigmoid_net
from experiments.normalization._sigmoid_net import NORMED
from jaxtricks import optimizers


class Config(Protocol):
    """What a study needs to know."""

    hidden: tuple[int, ...]
    deviations: tuple[float, ...]
    rates: tuple[float, ...]
    steps: int
    tuning_seeds: int


def racer(
    arm: str, images: lab.Images, config: Config, steps: int
) -> Callable[..., dict[str, np.ndarray]]:
    """Makes `race(keys, deviation, rate)`: errors in percent of several seeds at the end."""
    race = lab.racer(
        functools.partial(sigmoid_net.network, arm, hidden=config.hidden),
        images,
        lambda trial: optimizers.gradient_descent(trial["rate"]),
        steps=steps,
        marks=1,
    )
    several = jax.jit(jax.vmap(race, in_axes=(0, None)))

    def errors(keys: jax.Array, deviation: float, rate: float) -> dict[str, np.ndarray]:
        trial = {"std": np.float32(deviation), "rate": np.float32(rate)}
        found = jax.device_get(several(keys, trial))
        return {"held back": found["held back"], "test": found["error"][:, -1]}

    return errors


def study(race: Callable[..., Any], groups: jax.Array, config: Config) -> dict[str, Any]:
    """Tunes the rate of every deviation, and runs what was chosen, and chosen by resampling."""
    grid = [(d, r) for d in range(len(config.deviations)) for r in range(len(config.rates))]
    at = [(config.deviations[d], config.rates[r]) for d, r in grid]
    shape = (len(config.deviations), len(config.rates), config.tuning_seeds)
    first = [race(groups[-1], *trial) for trial in at]
    tuning = np.array([found["held back"] for found in first]).reshape(shape)
    chosen, _ = choices(tuning)
    errors = {}
    for place, (d, r) in zip(grid, at, strict=True):
        if place[1] in chosen[:, place[0]]:
            rows = [race(keys, d, r)["test"] for keys in groups[:-1]]
            errors[f"{place[0]}, {place[1]}"] = np.concatenate(rows)
    test = np.array([found["test"] for found in first]).reshape(shape)
    return {"tuning": tuning, "tuning, test": test, "errors": errors}


def choices(tuning: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best rate of each deviation `[choice, deviation]`, and the best deviation `[choice]`.

    The first choice is by all tuning seeds, the others by resampled ones.
    """
    seeds = tuning.shape[-1]
    draws = np.concatenate([np.arange(seeds)[None], resamples(seeds)])
    means = tuning[..., draws].mean(axis=-1)
    return means.argmin(axis=1).T, means.min(axis=1).argmin(axis=0)


def doubled(images: lab.Images, found: Any, keys: jax.Array, config: Config) -> dict[str, Any]:
    """Test errors of the tuning seeds at batch norm's best deviation, and of twice the updates."""
    rates, deviations = choices(found["tuning"])
    d, r = deviations[0], rates[0, deviations[0]]
    again = racer(NORMED, images, config, 2 * config.steps)
    longer = again(keys, config.deviations[d], config.rates[r])["test"]
    return {"baseline": found["tuning, test"][d, r], "doubled": longer}


def chosen_errors(found: dict[str, Any], rates: np.ndarray) -> np.ndarray:
    """Test errors `[deviation, seed]` at these rates, one a deviation."""
    return np.array([found["errors"][f"{d}, {r}"] for d, r in enumerate(rates)])
