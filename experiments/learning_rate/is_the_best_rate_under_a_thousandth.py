"""Is the best learning rate between 1e-3 and 1e-5?

The lecture's advice (004:190). The settings are twelve small real tasks (see `lab.tasks`). In each,
gradient descent, momentum of 0.9 and Adam train at constant rates from 1e-6 to 10, half a decade
apart, for ten times the updates that the best rates need, so that small rates have their own pace.
Two arms are tuned by the validation error on five other seeds: the rates of the range, and those
outside of it. C-046: for each of the three methods the best rate in the range must usually lose
less than one point of test error to the best outside: in over half of the settings.

Command: python -m experiments --only is_the_best_rate_under_a_thousandth      (CPU, about 50 min)
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
    Estimate,
    Plan,
    Verdict,
    all_of,
    figure,
    finish,
    usually,
)
from experiments.lab import tasks
from experiments.lab.tasks import LISTED, OTHERS, SMALL_TASKS, TASKS, Task
from jaxtricks import optimizers

FIGURES = ()
CLAIMS = ("C-046",)
TIER = 3
RANGE = (1e-5, 1e-3)
MOMENTUM = 0.9
PLANS = {
    "C-046": Plan(
        effects={"points": 1.0},
        gates=("conv", "edge"),
        settings={
            "floors": tasks.FLOORS,
            "range": RANGE,
            "rates": "constant; from 1e-6 to 10, half a decade apart",
            "conv": "the best rate outside of the range on the tuning seeds, at the judged updates "
            "and at twice these; and the floors",
            "choice": "rate by the mean validation error on tuning seeds, resampled 200 times",
        },
    )
}


def gradient_descent(trial: Any, updates: int) -> optax.GradientTransformation:
    """Plain gradient descent at a constant rate."""
    del updates
    return optimizers.gradient_descent(trial["rate"])


def momentum(trial: Any, updates: int) -> optax.GradientTransformation:
    """Momentum at a constant rate."""
    del updates
    return optimizers.momentum(trial["rate"], decay=MOMENTUM)


def adam(trial: Any, updates: int) -> optax.GradientTransformation:
    """Adam with its usual decays at a constant rate."""
    del updates
    return optimizers.adam(trial["rate"])


RULES = {"gradient descent": gradient_descent, "momentum": momentum, "adam": adam}


@dataclasses.dataclass(frozen=True)
class Config:
    """`longer`: factor of the tasks' epochs, a third of which are enough at the best rates;
    `points`: of the grid of rates.
    """

    tasks: tuple[Task, ...] = TASKS
    methods: tuple[str, ...] = tuple(RULES)
    points: int = 15
    longer: float = 10 / 3
    seed: int = 11_046
    seeds: int = 10
    tuning_seeds: int = 5


SMOKE = Config(tasks=SMALL_TASKS, methods=("adam",), points=8, longer=1, seeds=2)
FULL = Config()


def run(config: Config, trials: Path) -> dict[str, Any]:
    """What tuning found for every method in every setting."""
    places = {
        f"{name}, {rule}": (dataclasses.asdict(task), rule)
        for name, task in tasks.numbered(config.tasks).items()
        for rule in config.methods
    }
    found = finish(trials, places, lambda place: judged(config, Task(**place[0]), place[1]))
    return {"data_set": tasks.data_set(found), "settings": found, "methods": config.methods}


def judged(config: Config, task: Task, name: str) -> dict[str, Any]:
    """Both arms of one method in one setting."""
    keys = jax.random.split(jax.random.key(config.seed), config.seeds + config.tuning_seeds)
    rates = np.geomspace(1e-6, 10.0, config.points)
    return {"method": name} | tasks.compare(
        task,
        RULES[name],
        {"rate": rates.astype(np.float32)},
        (rates > 0.99 * RANGE[0]) & (rates < 1.01 * RANGE[1]),
        loss="validation error",
        metric="test error",
        judged=keys[: config.seeds],
        tuning=keys[config.seeds :],
        longer=config.longer,
    )


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Of every method, the share of settings where the range loses little."""
    settings, effect = results["settings"], PLANS["C-046"].effects["points"]
    parts = [
        usually(
            f"{name}: points that the best rate in the range loses to the best outside",
            list(losses(results, name).values()),
            effect=effect,
            claimed="down",
            panel="abc"[number],
        )
        for number, name in enumerate(results["methods"])
    ]
    outside = {name: lab.best(setting[OTHERS], name=name) for name, setting in settings.items()}
    gates = [tasks.converges(settings, effect=effect), tasks.inside(outside, "rate")]
    scope = f"{tasks.scope(settings)}, constant rates"
    beside = [told(name, setting) for name, setting in settings.items()]
    return [all_of("C-046", parts, scope=scope, gates=gates, beside=beside)]


def losses(results: dict[str, Any], name: str) -> dict[str, Estimate]:
    """Points that the range loses in every setting with one method."""
    chosen = [s for s in results["settings"].values() if s["method"] == name]
    return {
        f"{number}: {setting['setting']}": tasks.lost(setting, "test error")
        for number, setting in enumerate(chosen, 1)
    }


def told(name: str, setting: dict[str, Any]) -> str:
    """What is not judged: points lost, the two rates, and what twice the updates give the range."""
    found = tasks.lost(setting, "test error")
    rates = [float(lab.best(setting[arm]).trial["rate"]) for arm in (LISTED, OTHERS)]
    once, twice = np.asarray(setting[LISTED]["doubled"])
    return (
        f"{name}: {found.value:.2f} [{found.low:.2f}, {found.high:.2f}], rates {rates[0]:.2g} and "
        f"{rates[1]:.2g}, the range with twice the updates {np.mean(twice) - np.mean(once):.2f}"
    )


def draw(results: dict[str, Any]) -> Figure:
    """What the range loses in every setting with each method."""
    names, effect = results["methods"], PLANS["C-046"].effects["points"]
    fig, panels = figure(1, len(names), width=5.6, height=5.4, sharey=True)
    for axes, name in zip(panels, names, strict=True):
        found = losses(results, name)
        tasks.draw_lost(axes, found)
        axes.axvline(0, color="black", lw=0.8)
        axes.axvline(effect, color="black", lw=0.8, ls="--", label=f"{effect:g} point")
        axes.set_xscale("symlog", linthresh=1)
        ticks = [-2, -1, 0, 1, 2, 5, 10, 20, 50, 100]
        low, high = axes.get_xlim()
        axes.set_xticks([tick for tick in ticks if low <= tick <= high])
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.minorticks_off()
        axes.set_xlabel("test error lost by the range 1e-5 to 1e-3 / points")
        axes.set_title(f"{name}: mean and 95 % of {next(iter(found.values())).n} seeds")
    panels[0].legend(loc="lower left")
    return fig
