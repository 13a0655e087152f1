"""Do learning rates that were found on a tenth of the data serve for all of it?

002:1077: small data first, then large. On digits, MNIST and CIFAR-10 every seed draws its own
images and searches the learning rate twice, by validation error: with trainings on all of its
training images, and on a tenth of them for as many epochs, which are a tenth of the updates. Both
rates then train on all images, from new weights and in a new order. C-149: on each task the rate
from a tenth must lose less than 0.5 point of test error to the other, and the search on all images
must take at least 5 times the updates. Beside it a tenth is trained for as many updates as all.

Command: python -m experiments --only do_rates_from_a_tenth_of_the_data_last    (CPU, about 45 min)
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    band,
    converged,
    data_name,
    exactly,
    figure,
    finish,
    interval,
    mean,
    over,
    under,
)
from experiments.tuning import _tasks as tasks
from experiments.tuning._tasks import SMALL_TASKS, TASKS, Task

CLAIMS = ("C-149",)
TIER = 3
PLANS = {
    "C-149": Plan(
        effects={"points": 0.5, "compute ratio": 5.0},
        gates=("conv", "nest", "edge"),
        settings={
            "floors": tasks.FLOORS,
            "a tenth": "as many epochs as all, so a tenth of the updates",
            "choice": "least validation error of one training at each rate, anew for every seed",
            "conv": "all images, at the rate with the least mean validation error",
        },
    )
}
SHARE = 0.1
SEARCHES: dict[str, dict[str, Any]] = {  # what the trainings of a search are like
    "all images": {},
    "a tenth, equal epochs": {"share": SHARE},
    "a tenth, equal updates": {"share": SHARE, "longer": round(1 / SHARE)},
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`longer`: where a tenth has equal updates too; `seeds`: of each task; `others`: those that
    train twice as long.
    """

    tasks: tuple[Task, ...] = TASKS
    longer: tuple[str, ...] = ("digits", "mnist")
    seed: int = 149
    seeds: tuple[int, ...] = (40, 20, 10)
    others: int = 5


SMOKE = Config(tasks=SMALL_TASKS, longer=("cifar10",), seeds=(2,))
FULL = Config()


def run(config: Config, trials: Path) -> dict[str, Any]:
    """What every seed found, task by task, and what twice the updates change."""
    most = max(config.seeds)
    keys = jax.random.split(jax.random.key(config.seed), most + config.others)

    def one(task: Task, key: jax.Array) -> dict[str, Any]:
        return searched(config, task, key)

    every = tasks.by_seed(trials, config.tasks, config.seeds, keys[:most], one)
    for task in config.tasks:
        found = every[task.data_set]
        fitting = tasks.read(task)[0]
        best = task.rates[np.argmin(found["validation"][:, 0].mean(axis=0))]

        def errors(longer: int, task: Task = task, best: float = best) -> dict[str, Any]:
            others, options = keys[most:], {"attempt": tasks.FINAL, "longer": longer}
            return {"test": tasks.trained(task, others, [best], **options)["test"][0]}

        times = {f"{task.data_set}, {longer} times the epochs": longer for longer in (1, 2)}
        again = finish(trials, times, errors)
        found["conv"] = [row["test"] for row in again.values()]
        found["updates"] = [tasks.updates(fitting, **options) for options in SEARCHES.values()]
    data_set = every[config.tasks[-1].data_set]["data_set"]
    return {"data_set": data_set, "tasks": every}


def searched(config: Config, task: Task, key: jax.Array) -> dict[str, Any]:
    """The searches of one seed, and the test errors of all images at the rates they chose."""
    kinds = list(SEARCHES) if task.data_set in config.longer else list(SEARCHES)[:2]
    errors = [
        tasks.trained(task, key[None], task.rates, attempt=tasks.SEARCH, **SEARCHES[kind])
        for kind in kinds
    ]
    validation = np.array([found["validation"][:, 0] for found in errors])
    chosen = np.argmin(validation, axis=1)
    rates = [task.rates[place] for place in chosen]
    tested = tasks.trained(task, key[None], rates, attempt=tasks.FINAL)["test"][:, 0]
    return {"validation": validation, "chosen": chosen, "test": tested}


def judge(results: dict[str, Any]) -> list[Verdict]:
    """What the rate from a tenth loses on each task, and the updates that its search saves."""
    plan, every = PLANS["C-149"], results["tasks"]
    parts = [
        under(
            f"{data_name(found['data_set'])}: points of test error lost by the rate from a tenth",
            mean(lost(found, 1)),
            plan.effects["points"],
            panel="d",
        )
        for found in every.values()
    ]
    ratios = [found["updates"][0] / found["updates"][1] for found in every.values()]
    saved = over(
        "updates of the search on all images over those on a tenth, the least of the tasks",
        exactly(min(ratios)),
        plan.effects["compute ratio"],
    )
    beside = [f"{name}: {told(found)}" for name, found in every.items()]
    edges = [
        tasks.inside(name, found["chosen"][:, :2], found["rates"]) for name, found in every.items()
    ]
    gates = [
        converges(every),
        Gate("nest", None, "chosen by other weights and images, for every seed anew"),
        tasks.together("edge", edges, "chosen rates: "),
    ]
    scope = tasks.scope(every)
    return [all_of("C-149", [*parts, saved], scope=scope, gates=gates, beside=beside)]


def lost(found: dict[str, Any], kind: int) -> np.ndarray:
    """Points of every seed that a search on a tenth loses to that on all images."""
    return found["test"][:, kind] - found["test"][:, 0]


def converges(every: dict[str, Any]) -> Gate:
    """`conv` of all tasks: twice the updates change little, and the networks are good ones."""
    rows = []
    for name, found in every.items():
        once, twice = found["conv"]
        gate = converged(once, twice, effect=PLANS["C-149"].effects["points"])
        error = float(np.mean(found["test"][:, 0]))
        text = f"{name}: {gate.text}, test error {error:.2f} %"
        rows.append((gate.passed is True and error <= tasks.FLOORS[name], text))
    return tasks.together("conv", rows)


def told(found: dict[str, Any]) -> str:
    """What is not judged: the rates that were found, and how equal updates fare."""
    words = []
    for number, kind in enumerate(list(SEARCHES)[: found["chosen"].shape[1]]):
        rates = found["rates"][found["chosen"][:, number].astype(int)]
        middle = 10 ** np.log10(rates).mean()
        words.append(f"rates from {kind} {rates.min():g} to {rates.max():g}, mean {middle:.2g}")
        if number:
            value, low, high = interval(lost(found, number))
            half = np.median(lost(found, number))
            words.append(f"which lose {value:.2f} [{low:.2f}, {high:.2f}], median {half:.2f}")
    return "; ".join(words)


def draw(results: dict[str, Any]) -> Figure:
    """Validation errors of the searches, and what the rates from a tenth lose."""
    every, kinds = results["tasks"], list(SEARCHES)
    fig, axes = figure(2, 2, width=5.8, height=4.2)
    for panel, found in zip(axes, every.values(), strict=False):
        for number, errors in enumerate(np.swapaxes(found["validation"], 0, 1)):
            rows = np.array([interval(column) for column in errors.T])
            look = {"color": COLOURS[number], "marker": tasks.MARKERS[number]}
            band(panel, found["rates"], *rows.T, label=kinds[number], **look)
        panel.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="validation error / %")
        panel.set_ylim(0.7 * found["validation"].mean(axis=0).min(), 700)
        panel.set_yticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
        panel.minorticks_off()
        panel.set_title(f"{data_name(found['data_set'])}: mean and 95 % of {len(errors)} seeds")
        panel.legend(title="trained with", loc="upper left")
    ways = {
        kinds[number]: [
            mean(lost(found, number))
            for found in every.values()
            if number < found["chosen"].shape[1]
        ]
        for number in (1, 2)
    }
    tasks.draw_lost(axes[3], every, ways, effect=PLANS["C-149"].effects["points"], look=1)
    axes[3].set_title("mean and 95 % of the same seeds")
    axes[3].legend(title="rate found on", loc="best")
    return fig
