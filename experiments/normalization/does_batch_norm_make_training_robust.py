"""Does batch norm make training more robust?

The lecture (003:11). ReLU networks of 2, 5 and 10 layers from N(0, s^2) weights with plain SGD, at
random learning rates and scales s, each setting with batch norm and without, from one key. Fixed
before the run: rates from 0.001 to 10 and scales from a tenth to ten times He's deviation, uniform
in the logarithm; a run succeeds if its test error is at most 20 %.

Command: python -m experiments --only does_batch_norm_make_training_robust
(CPU, about 1 min; MNIST halved in size where there is any, else digits)
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from experiments import races
from experiments.engine import figure
from experiments.engine.before import Verdict, combine, paired
from experiments.normalization._sigmoid_net import ARMS, BLOCKS, NORMED, PLAIN
from jaxtricks import initializers, models, optimizers

CLAIMS = ("C-101",)
TIER = 2

SUCCESS = 20.0  # largest test error in percent
RATES, SCALES = (1e-3, 10.0), (0.1, 10.0)


@dataclasses.dataclass(frozen=True)
class Config:
    """`settings`: random rates and scales for each of the `depths`, `width` units a layer."""

    data_set: str = "mnist"
    count: int = 2500
    depths: tuple[int, ...] = (2, 5, 10)
    width: int = 64
    settings: int = 40
    steps: int = 600


SMOKE = Config("digits", 100, depths=(1,), width=8, settings=2, steps=2)
FULL = Config(count=60_000, settings=200, steps=10_000)


def run(config: Config) -> dict[str, Any]:
    """The settings, and the final test error in percent `[setting]` by depth and arm."""
    images = races.read(config.data_set, config.count)
    places = np.random.default_rng(0).random((2, config.settings))
    rates, scales = (
        np.float32(low * (high / low) ** place)
        for (low, high), place in zip((RATES, SCALES), places, strict=True)
    )
    found = {
        str(depth): {arm: errors(arm, depth, images, rates, scales, config) for arm in ARMS}
        for depth in config.depths
    }
    return {"data_set": images.name, "rates": rates, "scales": scales, "depths": found}


def errors(
    arm: str, depth: int, images: races.Images, rates: Any, scales: Any, config: Config
) -> np.ndarray:
    """Test error in percent of each setting after training."""

    def network(trial: Any) -> models.MLP:
        he = initializers.he()

        def start(*args: Any, **kwargs: Any) -> jax.Array:
            return trial["scale"] * he(*args, **kwargs)

        sizes = (*[config.width] * depth, 10)
        return models.MLP(sizes, block=BLOCKS[arm], kernel_init=start)

    race = races.racer(
        network, images, lambda trial: optimizers.gradient_descent(trial["rate"]),
        steps=config.steps, marks=1,
    )  # fmt: skip
    keys = jax.random.split(jax.random.key(depth), config.settings)
    trials = [{"rate": rate, "scale": scale} for rate, scale in zip(rates, scales, strict=True)]
    runs = [race(key, trial) for key, trial in zip(keys, trials, strict=True)]
    return np.array([found["error"][-1] for found in jax.device_get(runs)])


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-101 if at every depth more settings succeed with batch norm: interval over the settings,
    each with its own key."""
    parts = []
    for depth, found in results["depths"].items():
        own, other = (np.asarray(found[arm]) <= SUCCESS for arm in (NORMED, PLAIN))
        text = (
            f"{depth} layers: {own.sum()} of {len(own)} settings succeed with batch norm, "
            f"{other.sum()} without; difference of the shares"
        )
        parts.append(paired("C-101", own * 1.0 - other, text, claimed="positive"))
    return [combine("C-101", parts)]


def draw(results: dict[str, Any]) -> Figure:
    """Every setting, coloured by its error."""
    depths = results["depths"]
    fig, panels = figure(2, len(depths), width=3.6, height=3.1, sharex=True, sharey=True)
    rows = [panels[: len(depths)], panels[len(depths) :]]
    look: dict[str, Any] = {"vmin": 0, "vmax": 100, "cmap": "cividis", "s": 36, "lw": 0.4}
    for row, arm in zip(rows, ARMS, strict=True):
        for axes, (depth, found) in zip(row, depths.items(), strict=True):
            wrong = np.asarray(found[arm])
            good = wrong <= SUCCESS
            for some, marker in ((good, "o"), (~good, "X")):
                axes.scatter(
                    results["rates"][some], results["scales"][some], c=wrong[some], marker=marker,
                    edgecolors="black", **look,
                )  # fmt: skip
            axes.set(xscale="log", yscale="log")
            axes.set_title(f"{depth} layers, {arm}: {good.sum()} of {len(good)}")
    for axes in rows[1]:
        axes.set_xlabel("learning rate")
    for row in rows:
        row[0].set_ylabel("initial scale / He's")
    fig.colorbar(panels[0].collections[0], ax=panels, label="test error / %")
    fig.suptitle(
        f"{results['data_set']}: circles have an error of at most {SUCCESS:g} %; one run a setting",
        fontsize=9,
    )
    return fig
