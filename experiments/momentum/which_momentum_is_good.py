"""Which momentum is good: are 0.9 and 0.99?

002:244 says "usually 0.9 or 0.99". The settings are twelve small real tasks (see `lab.tasks`). In
each, two arms are tuned by the final training objective on five other seeds: momentum of 0.9 or
0.99, and of seven other values from 0 to 0.999. All have the same eleven rates of a steady
gradient, a / (1 - rho), and the rate falls to 0. C-015: of the two the better one must usually lose
less than 0.05 in log10 of the final objective (12 %) to the best of the others: in over half of the
settings.

Command: python -m experiments --only which_momentum_is_good      (CPU, about 20 min)
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Tuned,
    Verdict,
    all_of,
    data_name,
    figure,
    finish,
    usually,
)
from experiments.lab import tasks
from experiments.lab.tasks import LISTED, OTHERS, SMALL_TASKS, TASKS, Task

FIGURES = ()
CLAIMS = ("C-015",)
TIER = 3
ARMS = (LISTED, OTHERS)
PLANS = {
    "C-015": Plan(
        effects={"log10 objective": 0.05},
        gates=("conv", "nest", "edge"),
        settings={
            "floors": tasks.FLOORS,
            "objective": "mean loss over the training set plus the L2 penalty",
            "conv": "log10 of the test loss of the best other on the tuning seeds, at once and at "
            "twice the updates; and the floors",
            "choice": "momentum and rate by the mean log10 objective on tuning seeds, resampled "
            "200 times",
            "rates": "those of a steady gradient times 1 - rho",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`listed`: those of the momenta that are advised; `rates`: of a steady gradient."""

    tasks: tuple[Task, ...] = TASKS
    listed: tuple[float, ...] = (0.9, 0.99)
    momenta: tuple[float, ...] = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
    rates: tuple[float, ...] = tuple(0.04 * 2**number for number in range(11))
    seed: int = 11_015
    seeds: int = 10
    tuning_seeds: int = 5


SMOKE = Config(
    tasks=SMALL_TASKS, momenta=(0.0, 0.9, 0.99, 0.999), rates=(0.16, 0.64, 2.56), seeds=2
)
FULL = Config()


def rule(trial: Any, updates: int) -> optax.GradientTransformation:
    """Momentum of the trial's rate and memory."""
    return lab.momentum_to_zero(trial["rate"], steps=updates, decay=trial["momentum"])


def run(config: Config, trials: Path) -> dict[str, Any]:
    """Both arms of every setting, and the best other with twice the updates beside."""
    settings = tasks.numbered(config.tasks)
    found = finish(
        trials,
        {name: dataclasses.asdict(task) for name, task in settings.items()},
        lambda fields: judged(config, Task(**fields)),
    )
    return {"data_set": tasks.data_set(found), "settings": found}


def judged(config: Config, task: Task) -> dict[str, Any]:
    """What tuning found in one setting."""
    keys = jax.random.split(jax.random.key(config.seed), config.seeds + config.tuning_seeds)
    grid = [(momentum, rate) for momentum in config.momenta for rate in config.rates]
    momentum, steady = np.array(grid, np.float32).T
    return tasks.compare(
        task,
        rule,
        {"momentum": momentum, "steady rate": steady, "rate": steady * (1 - momentum)},
        np.isin(momentum, np.float32(config.listed)),
        loss="objective",
        metric="test loss",
        judged=keys[: config.seeds],
        tuning=keys[config.seeds :],
    )


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The share of settings where 0.9 or 0.99 loses little."""
    settings, effect = results["settings"], PLANS["C-015"].effects["log10 objective"]
    found = {name: tasks.lost(setting, "objective") for name, setting in settings.items()}
    part = usually(
        "log10 of the final objective that the better of 0.9 and 0.99 loses to the best other",
        list(found.values()),
        effect=effect,
        claimed="down",
        panel="a",
    )
    chosen = {name: both(setting) for name, setting in settings.items()}
    winners = {
        f"{name}, {arm}": tuned for name, pair in chosen.items() for arm, tuned in pair.items()
    }
    gates = [
        tasks.converges(settings, effect=effect),
        Gate("nest", None, "chosen on other seeds; the choice is resampled"),
        tasks.inside(winners, "steady rate"),
    ]
    beside = [
        f"{name}: {one.value:.3f} [{one.low:.3f}, {one.high:.3f}], chosen "
        f"{float(pair[LISTED].trial['momentum']):g} and {float(pair[OTHERS].trial['momentum']):g}"
        for (name, one), pair in zip(found.items(), chosen.values(), strict=True)
    ]
    scope = f"{tasks.scope(settings)}, rate falling to 0"
    return [all_of("C-015", [part], scope=scope, gates=gates, beside=beside)]


def both(setting: dict[str, Any]) -> dict[str, Tuned]:
    """The winners of the two arms."""
    return {name: lab.best(setting[name], name=name) for name in ARMS}


def draw(results: dict[str, Any]) -> Figure:
    """What the advised values lose in every setting, and the best objective of every momentum."""
    settings = results["settings"]
    fig, (losses, curves) = figure(1, 2, width=6.4, height=5.4)
    effect = PLANS["C-015"].effects["log10 objective"]
    tasks.draw_lost(losses, {name: tasks.lost(s, "objective") for name, s in settings.items()})
    losses.axvline(0, color="black", lw=0.8)
    losses.axvline(effect, color="black", lw=0.8, ls="--", label=f"{effect:g}")
    seeds = len(both(next(iter(settings.values())))[LISTED].tested["objective"])
    losses.set_xlabel("log10 objective, 0.9 or 0.99 minus the best other")
    losses.set_title(f"mean and 95 % of {seeds} seeds")
    losses.legend(loc="best")
    names = list(dict.fromkeys(setting["data_set"] for setting in settings.values()))
    for setting in settings.values():
        momenta, values = profile(setting)
        number = names.index(setting["data_set"])
        look = {"color": COLOURS[number], "marker": tasks.MARKERS[number], "lw": 1}
        curves.plot(range(len(momenta)), values - values.min(), **look)
    for number, name in enumerate(names):
        look = {"color": COLOURS[number], "marker": tasks.MARKERS[number], "lw": 1}
        curves.plot([], [], label=data_name(name), **look)
    curves.set_xticks(range(len(momenta)), [f"{momentum:g}" for momentum in momenta])
    curves.tick_params(axis="x", labelrotation=45)
    curves.set(xlabel=r"momentum $\rho$", ylabel="log10 objective over the setting's least")
    curves.set_title("tuning seeds' mean, best rate")
    curves.legend(loc="best")
    return fig


def profile(setting: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Every momentum of a setting, and its least mean objective of any rate on the tuning seeds."""
    every = np.concatenate([np.asarray(setting[arm]["trials"]["momentum"]) for arm in ARMS])
    means = np.concatenate([np.asarray(setting[arm]["losses"]).mean(axis=1) for arm in ARMS])
    momenta = np.unique(every)
    return momenta, np.array([means[every == momentum].min() for momentum in momenta])
