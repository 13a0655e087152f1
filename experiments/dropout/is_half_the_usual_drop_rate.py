"""Is one half a good drop rate in general?

002:681 and 003:51: the probability of dropping is generally 0.5, and a hyper-parameter. Three data
sets (digits, 4,000 images of MNIST averaged to 14 x 14, and scikit-learn's table of breast cancer)
times four ReLU networks are twelve settings. In each, dropout at 0.5 and at 0, 0.1, 0.25, 0.4,
0.65 and 0.8 are tuned alike, eight rates each, by validation error on five other seeds; every seed
divides the examples anew. C-071: 0.5 must usually lose less than 0.3 point of test error to the
best of the others, which is chosen on the tuning seeds too: at over half of the settings.

Command: python -m experiments --only is_half_the_usual_drop_rate      (CPU, about 50 min)
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
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
    converged,
    data_name,
    figure,
    finish,
    inside_grids,
    usually,
)

CLAIMS = ("C-071",)
TIER = 3

PLANS = {
    "C-071": Plan(
        effects={"points": 0.3},
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
    """`count`: images of MNIST to train with; `seeds` and `epochs` by data set."""

    data_sets: tuple[str, ...] = ("digits", "mnist", "breast cancer")
    nets: tuple[tuple[int, ...], ...] = ((64, 64), (256, 256), (256,), (64, 64, 64))
    drops: tuple[float, ...] = (0.0, 0.1, 0.25, 0.4, 0.65, 0.8)
    half: float = 0.5
    rates: tuple[float, ...] = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28)
    count: int = 4000
    epochs: tuple[int, ...] = (60, 30, 60)
    batches: tuple[int, ...] = (50, 50, 20)
    seed: int = 66_071
    seeds: tuple[int, ...] = (40, 10, 100)
    tuning_seeds: int = 5


SMOKE = Config(
    data_sets=("breast cancer",),
    nets=((2,),) * 12,
    drops=(0.0, 0.8),
    rates=(0.04, 0.08),
    epochs=(1,),
    seeds=(2,),
)
FULL = Config(nets=((256, 256), (1024, 1024), (1024,), (256, 256, 256)), epochs=(200, 100, 200))


def run(config: Config, trials: Path) -> dict[str, Any]:
    """What tuning found in every setting, with twice the updates beside."""
    every = {}
    for number, data_set in enumerate(config.data_sets):
        for hidden in config.nets:
            name = f"{len(every) + 1}: {data_set}, {'-'.join(map(str, hidden))}"
            every[name] = {
                "data_set": data_set,
                "hidden": hidden,
                "epochs": config.epochs[number],
                "batch": config.batches[number],
                "seeds": config.seeds[number],
            }
    found = finish(trials, every, lambda setting: judged(config, setting))
    return {
        "settings": {name: every[name] | found[name] for name in every},
        "half": config.half,
        "drops": config.drops,
    }


def judged(config: Config, setting: dict[str, Any]) -> dict[str, Any]:
    """Both arms of one setting, and the net without dropout, once and at twice the updates."""
    examples, sizes = rates.read(setting["data_set"], config.count)
    keys = jax.random.split(jax.random.key(config.seed), setting["seeds"] + config.tuning_seeds)
    own, tuning = keys[: setting["seeds"]], keys[setting["seeds"] :]
    options = {"hidden": setting["hidden"], "batch": setting["batch"]}
    once, twice = (
        rates.learner(sizes, epochs=factor * setting["epochs"], **options) for factor in (1, 2)
    )
    grid = [(rate, drop) for drop in config.drops for rate in config.rates]
    steps, drops = (np.array(column, np.float32) for column in zip(*grid, strict=True))
    arms = {
        name: lab.tune(once, trials, tuning=tuning, judged=own, shared=(examples,))
        for name, trials in (
            (rates.HALF, runs.trial(config.rates, drop=config.half)),
            (rates.OTHERS, runs.trial(steps, drop=drops)),
        )
    }
    losses = arms[rates.OTHERS]["losses"][: len(config.rates)]  # the first drop rate is 0
    return {"arms": arms} | rates.baseline(once, twice, losses, config.rates, tuning, examples)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The share of settings where 0.5 loses little."""
    settings, effect = results["settings"], PLANS["C-071"].effects["points"]
    part = usually(
        "points that 0.5 loses to the best other drop rate",
        [rates.lost(setting) for setting in settings.values()],
        effect=effect,
        claimed="down",
    )
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
        f"{name}: {found.value:.2f} [{found.low:.2f}, {found.high:.2f}]; chosen "
        f"{float(lab.best(setting['arms'][rates.OTHERS]).trial['drop']):g}"
        for name, setting in settings.items()
        for found in [rates.lost(setting)]
    ]
    scope = (
        f"{len(settings)} settings: digits, MNIST (4,000 images of 14 x 14 pixels) and breast "
        "cancer (569 rows) with ReLU networks of one to three hidden layers of 64 and 256 units, "
        "momentum 0.9, rate falling to 0, float32"
    )
    return [all_of("C-071", [part], scope=scope, gates=gates, beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """Points lost in every setting."""
    settings = results["settings"]
    fig, (axes,) = figure(width=8.0, height=5.6)
    rows = range(len(settings))[::-1]
    names = list(dict.fromkeys(setting["data_set"] for setting in settings.values()))
    labels = []
    for row, setting in zip(rows, settings.values(), strict=True):
        found, number = rates.lost(setting), names.index(setting["data_set"])
        ends = [[found.value - found.low], [found.high - found.value]]
        look = {"fmt": "os^"[number], "color": COLOURS[number], "capsize": 4}
        axes.errorbar(found.value, row, xerr=ends, **look)
        best = float(lab.best(setting["arms"][rates.OTHERS]).trial["drop"])
        net = "-".join(f"{units:.0f}" for units in setting["hidden"])
        labels.append(f"{data_name(setting['data_set'])}, {net}; best other {best:g}")
    axes.set_yticks(rows, labels)
    effect = PLANS["C-071"].effects["points"]
    axes.axvline(0, color="black", lw=0.8)
    axes.axvline(effect, color="black", lw=0.8, ls="--", label=f"{effect:g} point")
    axes.set_xlabel("test error at 0.5 minus the best other's / points")
    axes.set_title("Mean and 95 % over the seeds")
    axes.legend(loc="best")
    return fig
