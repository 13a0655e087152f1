"""Does warmup permit larger learning rates?

A linear warmup from 0 over the first several thousand updates is the remedy where too high a first
rate makes the loss grow (002:588-602; Goyal et al., 2017). A 196-64-64-10 ReLU network, momentum
0.9, batches of 128; every seed draws its own 4,000 images of MNIST averaged to 14 x 14. With a
linear warmup over 2,000 of 10,000 updates and without one, peak rates are tried 2^(1/4) apart. A
rate is usable if the loss on the training images ends under half of where it began. C-057: the
largest usable peak rate is higher with the warmup. Beside it Goyal's comparison: his rule, 0.1 for
every 256 images, gives batches of 2,048 the rate 0.8, and batches of 32 0.0125, on as many images;
with no warmup, with a constant one at 0.0125 and with a linear one, over a fifth of the updates.

Command: python -m experiments --only does_warmup_permit_larger_rates      (CPU, about 15 min)
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    Plan,
    Verdict,
    all_of,
    band,
    data_name,
    figure,
    finish,
    interval,
    paired,
)
from experiments.lab import rates
from experiments.learning_rate import _warmups as warmups
from experiments.learning_rate._warmups import CONSTANT, KINDS, LINEAR, NONE, Budget, Task

FIGURES = ("F-060",)
CLAIMS = ("C-057",)
TIER = 3
PLANS = {
    "C-057": Plan(
        effects={"octaves": 0.25},
        gates=("sat", "edge"),
        settings={
            "usable": "loss on the training images after the last update under half of that before "
            "the first; largest such rate",
        },
    )
}
JUDGED = (NONE, LINEAR)
RATES = (0.125, 0.25, 0.5, 1, 2)  # named in the picture
JUDGE, GOYAL = "as judged", "by Goyal's rule"
SMALL = "small batches"
LOOKS = {
    NONE: {"color": COLOURS[5]},
    CONSTANT: {"color": COLOURS[1], "ls": "--"},
    LINEAR: {"color": COLOURS[0]},
    SMALL: {"color": "black", "ls": ":"},
}


@dataclasses.dataclass(frozen=True)
class Config:
    """What is trained, and which rates are tried.

    Attributes:
        task: images and network.
        judged: batches and warmup of the runs of which the largest usable rate is sought.
        large: those of Goyal's comparison.
        small: of its small batches, at the rate of the task's constant warmup.
        lowest: of the peak rates.
        octaves: that these span.
        looks: of a run in the picture, at its error.
        seed: of all keys.
        seeds: that are judged.
    """

    task: Task = Task()
    judged: Budget = Budget(128, 10_000, 2000)
    large: Budget = Budget(2048, 1000, 200)
    small: Budget = Budget(32, 64_000, 0)
    lowest: float = 0.125
    octaves: float = 3.5
    looks: int = 100
    seed: int = 28_057
    seeds: int = 10


SMOKE = Config(
    task=Task("digits", 300, 256, hidden=(4,)),
    judged=Budget(32, 20, 4),
    large=Budget(128, 20, 4),
    small=Budget(32, 80, 0),
    octaves=0.5,
    looks=10,
    seeds=2,
)
FULL = Config(task=Task(hidden=(256, 256)), seeds=20)


def run(config: Config, trials: Path) -> dict[str, Any]:
    """Losses at the peak rates of every seed; errors by Goyal's rule, and at too high a rate."""
    task, keys = config.task, jax.random.split(jax.random.key(config.seed), config.seeds)
    span = {"lowest": config.lowest, "octaves": config.octaves}

    def losses(place: tuple[str, int]) -> dict[str, Any]:
        return warmups.losses(task, place[0], config.judged, keys[place[1]], **span)

    def curve(setting: tuple[str, tuple, float]) -> dict[str, Any]:
        kind, budget, rate = setting
        return warmups.curve(task, kind, Budget(*budget), rate, keys, looks=config.looks)

    places = {f"{kind}, seed {i}": (kind, i) for kind in JUDGED for i in range(config.seeds)}
    found = finish(trials, places, losses)
    rows = {kind: [found[f"{kind}, seed {i}"] for i in range(config.seeds)] for kind in JUDGED}
    grid = {k: {name: np.stack([r[name] for r in rows[k]]) for name in rows[k][0]} for k in JUDGED}
    high, rule = too_high(grid[NONE]), task.base * config.large.batch / config.small.batch
    judged, large, small = map(dataclasses.astuple, (config.judged, config.large, config.small))
    settings = {f"{kind}, {JUDGE}": (kind, judged, high) for kind in KINDS}
    settings |= {f"{kind}, {GOYAL}": (kind, large, rule) for kind in KINDS}
    return {
        "data_set": warmups.read(task).name,
        "images": warmups.count(task),
        "config": dataclasses.asdict(config),
        "grid": grid,
        "high": high,
        "rule": rule,
        "curves": finish(trials, settings | {SMALL: (NONE, small, task.base)}, curve),
    }


def too_high(arm: dict[str, np.ndarray]) -> float:
    """A grid step above all rates that are usable in this arm."""
    return float(2 ** (rates.largest_usable(arm).max() + rates.STEP))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-057: octaves by which warmup raises the largest usable peak rate."""
    effect, grid = PLANS["C-057"].effects["octaves"], results["grid"]
    largest = {kind: rates.largest_usable(grid[kind]) for kind in JUDGED}
    part = paired(
        "octaves by which a linear warmup raises the largest usable peak rate",
        largest[LINEAR] - largest[NONE],
        effect=effect,
        claimed="up",
        panel="c",
    )
    config, every = results["config"], results["curves"]
    task, judged, large = config["task"], config["judged"], config["large"]
    net = "-".join(f"{units:.0f}" for units in task["hidden"])
    scope = (
        f"{data_name(results['data_set'])} ({results['images']:,.0f} training images of 14 x 14 "
        f"pixels, of digits 8 x 8), {net} rectifiers, momentum {task['momentum']:g}, batch "
        f"{judged['batch']:.0f}, warmup over {judged['warmup']:,.0f} of "
        f"{judged['updates']:,.0f} updates, float32"
    )
    beside = [told(kind, grid[kind]) for kind in JUDGED]
    for place, setting, rate in ((JUDGE, judged, "high"), (GOYAL, large, "rule")):
        errors = [f"{kind} {every[f'{kind}, {place}']['test'].mean():.2f} %" for kind in KINDS]
        errors += [f"{SMALL} {every[SMALL]['test'].mean():.2f} %"] * (place == GOYAL)
        words = f"batch {setting['batch']:,.0f}, rate {results[rate]:.3g}"
        beside.append(f"test error, {words}: {', '.join(errors)}")
    gates = rates.inside_grid(grid, effect=effect)
    return [all_of("C-057", [part], scope=scope, gates=gates, beside=beside)]


def told(kind: str, arm: dict[str, np.ndarray]) -> str:
    """The largest usable rates of an arm, and the test errors there."""
    usable, largest = rates.usable(arm["first"], arm["last"]), 2 ** rates.largest_usable(arm)
    last = np.max(np.where(usable, np.arange(usable.shape[1]), 0), axis=1)
    error = np.take_along_axis(arm["test"], last[:, None], axis=1).mean()
    return (
        f"{kind}: largest usable peak rate {largest.min():.3g} to {largest.max():.3g}, test error "
        f"there {error:.2f} %"
    )


def draw(results: dict[str, Any]) -> Figure:
    """Errors by Goyal's rule and at too high a rate; the last loss by peak rate."""
    fig, (rule, high, ends) = figure(1, 3, width=5.2, height=5.0)
    config, grid = results["config"], results["grid"]
    seeds, name = len(grid[NONE]["rates"]), data_name(results["data_set"])
    draw_errors(rule, results, GOYAL, config["large"])
    updates = config["large"]["updates"]
    label = f"batch {config['small']['batch']:.0f}, rate {config['task']['base']:g}"
    draw_error(rule, results["curves"][SMALL], updates, label=label, **LOOKS[SMALL])
    draw_errors(high, results, JUDGE, config["judged"])
    rule.set_title(f"{name}: batch {config['large']['batch']:,.0f}, rate {results['rule']:.2g}")
    high.set_title(f"batch {config['judged']['batch']:,.0f}, rate {results['high']:.2g}")
    rule.set_xlabel("update, or as many images seen")
    high.set_xlabel("update")
    title = f"mean and 95 % of {seeds} seeds, also in b"
    rule.legend(title=title, loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2)
    for kind in JUDGED:
        arm, look = grid[kind], LOOKS[kind]
        ends.plot(arm["rates"].T, arm["last"].T, color=look["color"], lw=0.8, alpha=0.7)
        ends.plot([], [], label=kind, **look)
    half = 0.5 * np.mean(grid[NONE]["first"])
    ends.axhline(half, color="black", lw=1, ls="--", label="half of the first loss")
    ends.set(xscale="log", yscale="log", xlabel="peak learning rate")
    ends.set_xticks(RATES, [f"{rate:g}" for rate in RATES])
    ends.minorticks_off()
    ends.set(ylabel="last training loss / nats")
    ends.set_title(f"batch {config['judged']['batch']:,.0f}: each of {seeds} seeds")
    ends.legend(loc="lower right")
    return fig


def draw_errors(axes: Axes, results: dict[str, Any], place: str, setting: dict[str, float]) -> None:
    """Training errors without a warmup and with both, of which a line marks the end."""
    for kind in KINDS:
        found = results["curves"][f"{kind}, {place}"]
        draw_error(axes, found, setting["updates"], label=kind, **LOOKS[kind])
    axes.axvline(setting["warmup"], color="grey", lw=0.8)
    axes.set(xscale="log", ylabel="training error / %", ylim=(0, 100))


def draw_error(axes: Axes, found: dict[str, np.ndarray], updates: float, **look: Any) -> None:
    """Mean and interval over the seeds."""
    looks = found["errors"].shape[1]
    rows = np.array([interval(column) for column in found["errors"].T])
    band(axes, updates / looks * (1 + np.arange(looks)), *rows.T, **look)
