"""Does batch norm make training more robust?

The lecture says so (003:11). ReLU networks of 2, 5 and 10 layers from N(0, s^2) weights learn by
plain SGD, at random learning rates and scales s, each setting once with batch norm and once without
it, from the same key. The rates lie between 0.001 and 10, the scales between a tenth and ten times
He's deviation, uniform in the logarithm. A run succeeds if its test error is at most 20 %; counted
are the settings that succeed, and those of 10 % and 30 % are printed too.

Command: python -m experiments --only does_batch_norm_make_training_robust
(CPU, about 1 min; MNIST halved in size where there is any, else digits)
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Gate,
    Part,
    Plan,
    Verdict,
    all_of,
    data_name,
    figure,
    paired,
    share_difference,
)
from experiments.lab import race as races
from experiments.normalization._sigmoid_net import ARMS, BLOCKS, NORMED, PLAIN
from jaxtricks import initializers, models, optimizers

CLAIMS = ("C-101",)
TIER = 2

SUCCESS = 20.0  # largest test error in percent
RATES, SCALES = (1e-3, 10.0), (0.1, 10.0)
PLANS = {
    "C-101": Plan(
        {"difference of the shares": 0.1, "test error in percent": SUCCESS},
        gates=("both succeed somewhere",),
        settings={"rates": RATES, "scales over He's": SCALES, "also printed": "10 and 30 %"},
    )
}
KINDS = {  # with batch norm, without: name, colour, marker
    (True, True): ("both succeed", COLOURS[0], "o"),
    (True, False): ("only with batch norm", COLOURS[2], "^"),
    (False, True): ("only without", COLOURS[1], "v"),
    (False, False): ("neither", "grey", "x"),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`settings`: random rates and scales for each of the `depths`, `width` units a layer."""

    data_set: str = "mnist"
    count: int = 2500
    depths: tuple[int, ...] = (2, 5, 10)
    width: int = 64
    settings: int = 40
    steps: int = 600
    seed: int = 15_101


SMOKE = Config("digits", 100, depths=(1,), width=8, settings=2, steps=2)
FULL = Config(count=60_000, settings=200, steps=10_000)


def run(config: Config) -> dict[str, Any]:
    """The settings, and the final test error in percent `[setting]` by depth and arm."""
    images = lab.split(config.data_set, config.count, test=2000)
    places = np.random.default_rng(config.seed).random((2, config.settings))
    rates, scales = (
        np.float32(low * (high / low) ** place)
        for (low, high), place in zip((RATES, SCALES), places, strict=True)
    )
    found = {
        str(depth): {arm: errors(arm, depth, images, rates, scales, config) for arm in ARMS}
        for depth in config.depths
    }
    return {
        "data_set": images.name, "examples": len(images.pool["label"]), "width": config.width,
        "steps": config.steps, "rates": rates, "scales": scales, "depths": found,
    }  # fmt: skip


def errors(
    arm: str, depth: int, images: lab.Images, rates: Any, scales: Any, config: Config
) -> np.ndarray:
    """Test error in percent of each setting after training."""

    def network(trial: Any) -> models.MLP:
        he = initializers.he()

        def start(*args: Any, **kwargs: Any) -> jax.Array:
            return trial["scale"] * he(*args, **kwargs)

        sizes = (*[config.width] * depth, 10)
        return models.MLP(sizes, block=BLOCKS[arm], kernel_init=start)

    race = lab.racer(
        network, images, lambda trial: optimizers.gradient_descent(trial["rate"]),
        steps=config.steps, marks=1,
    )  # fmt: skip
    keys = jax.random.split(jax.random.fold_in(jax.random.key(config.seed), depth), config.settings)
    trials = [{"rate": rate, "scale": scale} for rate, scale in zip(rates, scales, strict=True)]
    runs = [race(key, trial) for key, trial in zip(keys, trials, strict=True)]
    return np.array([found["error"][-1] for found in jax.device_get(runs)])


def successes(found: dict[str, Any], threshold: float = SUCCESS) -> tuple[np.ndarray, np.ndarray]:
    """Which settings succeed with batch norm, and which without."""
    normed, plain = (np.asarray(found[arm]) <= threshold for arm in (NORMED, PLAIN))
    return normed, plain


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-101 if at every depth more settings succeed with batch norm than without."""
    effect = PLANS["C-101"].effects["difference of the shares"]
    parts, beside, missing = [], [], []
    for (depth, found), panel in zip(results["depths"].items(), "abc", strict=False):
        normed, plain = successes(found)
        parts.append(gained(depth, normed, plain, effect=effect, panel=panel))
        for threshold in (SUCCESS / 2, SUCCESS, 1.5 * SUCCESS):
            with_norm, without = successes(found, threshold)
            beside.append(
                f"{depth} hidden layers, error at most {threshold:g} %: {with_norm.sum()} of "
                f"{len(plain)} settings with batch norm, {without.sum()} without"
            )
        if not (normed.any() and plain.any()):
            missing.append(depth)
    return [
        all_of(
            "C-101",
            parts,
            scope=f"{data_name(results['data_set'])}, {results['examples']} examples, ReLU layers "
            f"of {results['width']} units, {results['steps']:.0f} updates of SGD, batch "
            f"{races.BATCH}, float32",
            gates=[
                Gate(
                    "both succeed somewhere",
                    not missing,
                    f"an arm never succeeds at depth {', '.join(missing)}"
                    if missing
                    else "so they do at every depth",
                )
            ],
            beside=beside,
        )
    ]


def gained(depth: str, normed: np.ndarray, plain: np.ndarray, *, effect: float, panel: str) -> Part:
    """The share of settings that batch norm gains at a depth."""
    text = f"share of settings that succeed with {depth} hidden layers, batch norm minus without"
    found = share_difference(normed, plain)
    return paired(text, found, effect=effect, claimed="up", panel=panel)


def draw(results: dict[str, Any]) -> Figure:
    """Every setting at each depth, by which of the two succeeds."""
    depths = results["depths"]
    fig, panels = figure(1, len(depths), height=4.6, sharex=True, sharey=True)
    for axes, (depth, found) in zip(panels, depths.items(), strict=True):
        normed, plain = successes(found)
        draw_settings(axes, results, normed, plain)
        axes.set_title(
            f"{depth} hidden layers: {normed.sum()} with, {plain.sum()} without, of {len(plain)}"
        )
    panels[0].set_ylabel("deviation of the first weights / He's")
    panels[0].set(xlim=(6e-4, 17), ylim=(0.012, 14))
    panels[0].set_xticks([0.001, 0.01, 0.1, 1, 10], ["0.001", "0.01", "0.1", "1", "10"])
    panels[0].set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    told = f"{data_name(results['data_set'])}: test error of at most {SUCCESS:g} %"
    panels[0].legend(loc="lower left", ncols=2, title=told, columnspacing=1)
    return fig


def draw_settings(
    axes: Axes, results: dict[str, Any], normed: np.ndarray, plain: np.ndarray
) -> None:
    """One point a setting."""
    for (with_norm, without), (name, colour, marker) in KINDS.items():
        some = (normed == with_norm) & (plain == without)
        x, y = results["rates"][some], results["scales"][some]
        axes.scatter(x, y, s=60, color=colour, marker=marker, label=name)
    axes.set(xscale="log", yscale="log", xlabel="learning rate")
    axes.minorticks_off()
