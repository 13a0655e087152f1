"""Which batch sizes are sensible?

000:120-121: "not single usually; batch = 16, 32, 64, 128". The settings are twelve small real tasks
(see `lab.tasks`), without batch norm, which single examples cannot have. In each, plain gradient
descent runs until the loss of the training set is at a target at two looks one after another; the
updates from one look to the next are an eighth of an octave. Every batch size chooses its rate, and
the listed ones their best size, by the seconds of five other seeds: updates times the seconds of
one, measured apart from the compilation. C-005: single examples must usually take longer than the
best of 16, 32, 64 and 128 by half an octave: in over half of the settings.

Command: python -m experiments --only which_batch_sizes_are_sensible      (CPU, about 30 min)
"""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from experiments import lab
from experiments.batches._seconds import Racer, race, seconds
from experiments.engine import (
    COLOURS,
    Estimate,
    Gate,
    Plan,
    Verdict,
    all_of,
    data_name,
    figure,
    finish,
    not_saturated,
    usually,
)
from experiments.lab import tasks
from experiments.lab.tasks import LISTED, SMALL_TASKS, TASKS, Task

FIGURES = ()
CLAIMS = ("C-005",)
ALONE = True  # it measures seconds
TIER = 3
SINGLE = "single"
ARMS = (SINGLE, LISTED)  # single examples, and the sizes of the lecture
PLANS = {
    "C-005": Plan(
        effects={"octaves": 0.5},
        gates=("sat", "nest", "edge"),
        settings={
            "seconds": "updates times the seconds of an update, the shortest of the repeats, "
            "measured once for each judged seed and once to choose by",
            "target": "loss of the whole training set at two looks, of which the first counts",
            "choice": "rate and listed size by the mean log2 of the seconds on tuning seeds, "
            "resampled 200 times",
            "rates": "by factors of 2 from the lowest times the root of the batch size",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`targets`: of each task; `tried`: rates of each size; `limit`: epochs at most, and `fewest`
    times the batch size if that is less; `timed`: examples of the updates whose seconds are
    measured.
    """

    tasks: tuple[Task, ...] = tuple(dataclasses.replace(task, batch_norm=False) for task in TASKS)
    targets: tuple[float, ...] = (0.1,) * 4 + (0.2,) * 4 + (0.05,) * 2 + (0.1,) * 2
    sizes: tuple[int, ...] = (16, 32, 64, 128)
    lowest: float = 0.005
    tried: int = 10
    limit: int = 100
    fewest: int = 20
    timed: int = 8192
    repeats: int = 5
    seed: int = 11_005
    seeds: int = 10
    tuning_seeds: int = 5


SMOKE = Config(
    tasks=SMALL_TASKS, targets=(0.5,) * 12, sizes=(16, 128), tried=3, limit=20, timed=512,
    repeats=1, seeds=2, tuning_seeds=2,
)  # fmt: skip
FULL = Config()


def run(config: Config, trials: Path) -> dict[str, Any]:
    """Both arms of every setting, and the seconds of an update."""
    settings = tasks.numbered(config.tasks)
    places = {
        name: (dataclasses.asdict(task), target)
        for (name, task), target in zip(settings.items(), config.targets, strict=True)
    }
    found = finish(trials, places, lambda place: judged(config, Task(**place[0]), place[1]))
    return {"data_set": tasks.data_set(found), "settings": found, "sizes": config.sizes}


def judged(config: Config, task: Task, target: float) -> dict[str, Any]:
    """What tuning found in one setting."""
    keys = jax.random.split(jax.random.key(config.seed), config.seeds + config.tuning_seeds)
    own, tuning = keys[: config.seeds], keys[config.seeds :]
    sizes = np.array([1, *config.sizes])
    racers = [Racer(task, size, min(config.limit, config.fewest * size)) for size in sizes.tolist()]
    clocks = np.array([timed(config, racer) for racer in racers])  # [size, judged seed and one]
    shared = (tasks.data_of(task.data_set).examples, target)

    def raced(place: int, numbers: np.ndarray, keys: jax.Array) -> dict[str, np.ndarray]:
        rates = config.lowest * 2.0**numbers * np.sqrt(sizes[place])
        return lab.over(race(racers[place]), {"rate": np.float32(rates)}, keys, shared)

    def time_of(place: int, octaves: np.ndarray, clock: np.ndarray) -> np.ndarray:
        return octaves + np.log2(racers[place].limit * clock)

    numbers = np.arange(config.tried)
    losses = [
        time_of(place, raced(place, numbers, tuning)["octaves"], clocks[place, -1])
        for place in range(len(sizes))
    ]

    def on_judged(first: int, trial: int) -> dict[str, np.ndarray]:
        more, number = divmod(trial, config.tried)
        found = raced(first + more, np.array([number]), own)
        found = {name: values[0] for name, values in found.items()}
        log_time = time_of(first + more, found["octaves"], clocks[first + more, :-1])
        return {**found, "log2 seconds": log_time}

    arms = {}
    for name, places in ((SINGLE, [0]), (LISTED, range(1, len(sizes)))):
        tried = {"rate number": np.tile(numbers, len(places))}
        rows = np.concatenate([losses[place] for place in places])
        arms[name] = lab.prepared(tried, rows, functools.partial(on_judged, places[0]))
    return {"data_set": tasks.data_of(task.data_set).name, "seconds": clocks, **arms}


def timed(config: Config, racer: Racer) -> np.ndarray:
    """Seconds of an update, once for each judged seed and once to choose by."""
    updates = min(max(config.timed // racer.size, 1), racer.limit)
    return seconds(racer, updates=updates, repeats=config.repeats, times=config.seeds + 1)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The share of settings where single examples take clearly longer."""
    settings, effect = results["settings"], PLANS["C-005"].effects["octaves"]
    found = {name: longer(setting) for name, setting in settings.items()}
    part = usually(
        "log2 of the seconds of single examples over those of the best listed size",
        list(found.values()),
        effect=effect,
        claimed="up",
        panel="a",
    )
    winners = {
        f"{name}, {arm}": lab.best(setting[arm], name=arm)
        for name, setting in settings.items()
        for arm in ARMS
    }
    octaves = {name: tuned.tested["octaves"] for name, tuned in winners.items()}
    step = max(float(np.max(tuned.tested["step"])) for tuned in winners.values())
    gates = [
        not_saturated(octaves, bounds=[0.0], step=step, effect=effect),
        Gate("nest", None, "chosen on other seeds; the choice is resampled"),
        tasks.inside(winners, "rate number"),
    ]
    beside = [
        f"{name}: {one.value:.2f} [{one.low:.2f}, {one.high:.2f}] with batches of "
        f"{chosen_size(results, settings[name]):g}"
        for name, one in found.items()
    ]
    scope = (
        f"{len(settings)} settings: {'; '.join(settings)}; plain gradient descent at a constant "
        "rate in one compiled loop on a CPU, float32"
    )
    return [all_of("C-005", [part], scope=scope, gates=gates, beside=beside)]


def longer(setting: dict[str, Any]) -> Estimate:
    """Octaves of time that single examples take more than the best listed size."""
    return tasks.more("log2 seconds", *(lab.best(setting[arm], name=arm) for arm in ARMS))


def chosen_size(results: dict[str, Any], setting: dict[str, Any]) -> float:
    """The listed size that the tuning seeds choose."""
    tried = len(np.asarray(setting[SINGLE]["losses"]))
    return np.asarray(results["sizes"])[lab.best(setting[LISTED]).best // tried]


def draw(results: dict[str, Any]) -> Figure:
    """How much longer single examples take, and the time of every size at its best rate."""
    settings, sizes = results["settings"], [1, *np.asarray(results["sizes"])]
    fig, (ratios, times) = figure(1, 2, width=6.4, height=5.4)
    effect = PLANS["C-005"].effects["octaves"]
    found = {name: longer(setting) for name, setting in settings.items()}
    tasks.draw_lost(ratios, found)
    ratios.axvline(0, color="black", lw=0.8)
    ratios.axvline(effect, color="black", lw=0.8, ls="--", label=f"{effect:g} octave")
    ratios.set_xlabel("log2 of the seconds, single examples over the best listed size")
    ratios.set_title(f"mean and 95 % of {next(iter(found.values())).n} seeds")
    ratios.legend(loc="lower right")
    names = list(dict.fromkeys(setting["data_set"] for setting in settings.values()))
    for setting in settings.values():
        rows = np.concatenate([np.asarray(setting[arm]["losses"]).mean(axis=1) for arm in ARMS])
        least = rows.reshape(len(sizes), -1).min(axis=1)
        number = names.index(setting["data_set"])
        look = {"color": COLOURS[number], "marker": tasks.MARKERS[number], "lw": 1}
        times.plot(sizes, least - least.min(), **look)
    for number, name in enumerate(names):
        look = {"color": COLOURS[number], "marker": tasks.MARKERS[number], "lw": 1}
        times.plot([], [], label=data_name(name), **look)
    times.set_xscale("log", base=2)
    times.set_xticks(sizes, [f"{size:g}" for size in sizes])
    times.set(xlabel="batch size", ylabel="log2 of the seconds over the setting's least")
    times.set_title("tuning seeds, each size at its best rate")
    times.legend(loc="best")
    return fig
