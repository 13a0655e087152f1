"""Is one half the ideal drop rate in the hidden layers of large networks?

004:745 says that 0.5 is ideal in the middle of large networks. Two data sets (digits, and 4,000
images of MNIST averaged to 14 x 14) times two networks of two hidden ReLU layers, of 1,024 and of
2,048 units each, are four settings. Dropout stands behind both hidden layers. In each setting the
drop rates 0 to 0.65 have eight learning rates each, and what is best is chosen by validation error
on other seeds; every seed divides the examples anew. C-081: in all four, 0.5 must lose less than
0.2 point of test error to the best of the other drop rates, which is chosen on the tuning seeds
too. The second picture has the error of every drop rate on the tuning seeds.

Command: python -m experiments --only is_one_half_ideal_in_wide_nets       (CPU, about four hours)
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.dropout import _rates as rates
from experiments.dropout import _runs as runs
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    band,
    converged,
    data_name,
    figure,
    finish,
    inside_grids,
    interval,
    under,
)

CLAIMS = ("C-081",)
TIER = 3

PLANS = {
    "C-081": Plan(
        effects={"points": 0.2},
        gates=("fit", "conv", "nest", "edge"),
        settings={
            "floors": rates.FLOORS,
            "shares": rates.SHARES,
            "best of the others": "rate and drop rate by validation error on tuning seeds, "
            "resampled 200 times",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: images of MNIST to train with; epochs, batches and seeds by data set.

    The net without dropout has `converged_seeds` tuning seeds more that show its convergence.
    """

    data_sets: tuple[str, ...] = ("digits", "mnist")
    widths: tuple[int, ...] = (1024, 2048)
    layers: int = 2
    half: float = 0.5
    drops: tuple[float, ...] = (0.0, 0.2, 0.35, 0.65)
    rates: tuple[float, ...] = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
    count: int = 4000
    epochs: tuple[int, ...] = (40, 30)
    batches: tuple[int, ...] = (50, 100)
    seed: int = 96_081
    seeds: tuple[int, ...] = (20, 10)
    tuning_seeds: int = 3
    converged_seeds: int = 2


SMOKE = Config(
    data_sets=("digits",),
    widths=(4, 8),
    layers=1,
    drops=(0.0, 0.8),
    rates=(0.04, 0.08),
    count=400,
    epochs=(1,),
    seeds=(2,),
)
FULL = Config(layers=3, epochs=(200, 100), seeds=(40, 40), tuning_seeds=5)


def run(config: Config, trials: Path) -> dict[str, Any]:
    """What tuning found in every setting, with twice the updates beside."""
    settings = {
        f"{data_set}, {width} units": {
            "data_set": data_set,
            "hidden": (width,) * config.layers,
            "epochs": config.epochs[number],
            "batch": config.batches[number],
            "seeds": config.seeds[number],
        }
        for number, data_set in enumerate(config.data_sets)
        for width in config.widths
    }
    drops = sorted({*config.drops, config.half})
    tried = finish(
        trials,
        {f"{s}, drop rate {drop:g}": [settings[s], drop] for s in settings for drop in drops},
        lambda setting: {"losses": losses(config, *setting)},
    )
    found = {
        name: {drop: tried[f"{name}, drop rate {drop:g}"]["losses"] for drop in drops}
        for name in settings
    }
    grids = {
        rates.HALF: [config.half],
        rates.OTHERS: [drop for drop in drops if drop != config.half],
    }
    arms = finish(
        trials,
        {
            f"{name}, {arm}": [settings[name], grid, [found[name][drop] for drop in grid]]
            for name in settings
            for arm, grid in grids.items()
        },
        lambda arm: tested(config, *arm),
    )
    plain = finish(
        trials,
        {f"{name}, converged": [settings[name], found[name][0.0]] for name in settings},
        lambda setting: baseline(config, *setting),
    )
    return {
        "settings": {
            name: settings[name]
            | plain[f"{name}, converged"]
            | {"arms": {arm: arms[f"{name}, {arm}"] for arm in grids}}
            | {"losses": [found[name][drop] for drop in drops]}
            for name in settings
        },
        "half": config.half,
        "drops": drops,
    }


def keys(config: Config, seeds: int) -> tuple[jax.Array, ...]:
    """Of the judged seeds, of the tuning seeds, and of those with the seeds of convergence."""
    count = seeds + config.tuning_seeds
    split = jax.random.split(jax.random.key(config.seed), count + config.converged_seeds)
    return split[:seeds], split[seeds:count], split[seeds:]


def losses(config: Config, setting: dict[str, Any], drop: float) -> np.ndarray:
    """Validation errors of every learning rate with one drop rate, `[rate, tuning seed]`."""
    examples, sizes = rates.read(setting["data_set"], config.count)
    _, tuning, _ = keys(config, setting["seeds"])
    trials = runs.trial(config.rates, drop=drop)
    found = lab.over(learner(sizes, setting), trials, tuning, (examples,))
    return found["validation error"]


def tested(
    config: Config, setting: dict[str, Any], drops: list[float], losses: list[np.ndarray]
) -> dict[str, Any]:
    """Results of the best rate and drop rate among `drops` on the judged seeds."""
    examples, sizes = rates.read(setting["data_set"], config.count)
    own, _, _ = keys(config, setting["seeds"])
    steps = np.tile(config.rates, len(drops))
    trials = runs.trial(steps, drop=np.repeat(drops, len(config.rates)))
    program, tried = learner(sizes, setting), np.concatenate(losses)
    return lab.tested(program, trials, tried, judged=own, shared=(examples,))


def baseline(config: Config, setting: dict[str, Any], losses: np.ndarray) -> dict[str, Any]:
    """The net without dropout at its best rate, and at twice the updates."""
    examples, sizes = rates.read(setting["data_set"], config.count)
    *_, seeds = keys(config, setting["seeds"])
    once, twice = learner(sizes, setting), learner(sizes, setting, factor=2)
    return rates.baseline(once, twice, losses, config.rates, seeds, examples)


def learner(sizes: tuple[int, int], setting: dict[str, Any], *, factor: int = 1) -> Any:
    """The run of a setting, or with so many times the epochs."""
    options = {"epochs": factor * setting["epochs"], "batch": setting["batch"]}
    return rates.learner(sizes, hidden=tuple(setting["hidden"]), **options)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """What 0.5 loses in each of the settings."""
    settings, effect = results["settings"], PLANS["C-081"].effects["points"]
    parts = [
        under(
            f"{name}: points that 0.5 loses to the best other drop rate",
            rates.lost(setting),
            effect,
            panel="a",
        )
        for name, setting in settings.items()
    ]
    halves = {name: lab.best(setting["arms"][rates.HALF]) for name, setting in settings.items()}
    gates = [
        runs.every("fit", [rates.fits(name, s, 5 * effect) for name, s in settings.items()]),
        runs.every(
            "conv",
            [
                converged(s["plain"]["test error"], s["doubled"], effect=effect)
                for s in settings.values()
            ],
        ),
        Gate("nest", None, "chosen on other seeds; the choice is resampled"),
        inside_grids(halves),
    ]
    beside = [
        f"{name}: the best other is {float(others.trial['drop']):g}, at the rate "
        f"{float(others.trial['rate']):g}"
        for name, setting in settings.items()
        for others in [lab.best(setting["arms"][rates.OTHERS])]
    ]
    layers = max(len(setting["hidden"]) for setting in settings.values())
    scope = (
        "digits (1,258 images to train with) and MNIST (4,000 of 14 x 14 pixels), networks of "
        f"{layers} hidden ReLU layers of 1,024 and 2,048 units, momentum 0.9, rate falling to 0, "
        "float32"
    )
    return [all_of("C-081", parts, scope=scope, gates=gates, beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """Points lost in every setting, and the error of every drop rate at its best rate."""
    fig, (lost, tried) = figure(1, 2, width=5.8, height=4.8)
    points(lost, results)
    drops = np.asarray(results["drops"])
    for number, (name, setting) in enumerate(results["settings"].items()):
        best = [np.asarray(grid)[np.argmin(np.mean(grid, axis=1))] for grid in setting["losses"]]
        rows = np.array([interval(errors) for errors in best])
        look = {"color": COLOURS[number], "marker": "os^D"[number]}
        band(tried, drops, *rows.T, label=named(name, setting), **look)
    seeds = len(best[0])
    tried.axvline(results["half"], color="0.6", lw=0.8, ls="--")
    tried.set(xlabel="drop rate of the hidden layers", ylabel="validation error / %")
    tried.set_ylim(bottom=0)
    tried.set_title(f"Best learning rate of each, {seeds} tuning seeds, 95 %")
    tried.legend(loc="best")
    return fig


def points(axes: Axes, results: dict[str, Any]) -> None:
    """Test error at one half minus that at the best other drop rate, a row a setting."""
    settings, effect = results["settings"], PLANS["C-081"].effects["points"]
    rows, labels = range(len(settings))[::-1], []
    for row, (number, (name, setting)) in zip(rows, enumerate(settings.items()), strict=True):
        found = rates.lost(setting)
        ends = [[found.value - found.low], [found.high - found.value]]
        look = {"fmt": "os^D"[number], "color": COLOURS[number], "capsize": 4}
        axes.errorbar(found.value, row, xerr=ends, **look)
        best = float(lab.best(setting["arms"][rates.OTHERS]).trial["drop"])
        labels.append(f"{named(name, setting)};\nbest other {best:g}")
    axes.set_yticks(rows, labels)
    axes.set_ylim(-0.6, len(settings) - 0.4)
    axes.axvline(0, color="black", lw=0.8)
    axes.axvline(effect, color="black", lw=0.8, ls="--", label=f"{effect:g} point")
    axes.set_xlabel("test error at 0.5 minus the best other's / points")
    axes.set_title("Judged seeds, mean and 95 %")
    axes.legend(loc="best")


def named(name: str, setting: dict[str, Any]) -> str:
    """A setting's data set as it is written, and its units."""
    return f"{data_name(setting['data_set'])}, {name.split(', ')[1]}"
