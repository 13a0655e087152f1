"""Does decay from 0.1 to 1e-4 beat the best constant rate?

The lecture's advice (001:34): begin rather high, say at 0.1, and decay to 1e-4. Three tasks for
plain SGD in batches of 32: digits with one hidden ReLU layer of 64 and with three, and 4,000 MNIST
images averaged to 14 x 14 (digits where MNIST is not prepared) with one. A constant rate and a rate
that falls by equal ratios to 1e-4 choose their (first) rate among eight, by the validation error of
five tuning seeds; the third way is the literal one from 0.1. Judged is the test accuracy on fresh
seeds against the constant rate, with the variance of the choice: decay from 0.1, or from the chosen
rate, must be better on all three tasks.

Command: python -m experiments --only does_decay_from_a_tenth_beat_a_constant_rate
(CPU, about 5 minutes)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Arm,
    Gate,
    Plan,
    Tuned,
    Verdict,
    choice_variance,
    converged,
    data_name,
    exists,
    figure,
    inside_grids,
    mean,
    paired,
    part_of,
    repeat,
    tune,
)
from experiments.lab import small_mlp as mlp
from jaxtricks import data, optimizers, schedules

CLAIMS = ("C-047",)
TIER = 2

RATES = 0.05 * 2.0 ** np.arange(8)  # to 6.4
ADVISED, FINAL = 0.1, 1e-4
TASKS = {  # data and hidden layers
    "digits, one layer": ("digits", (64,)),
    "digits, three layers": ("digits", (64, 64, 64)),
    "MNIST, one layer": ("mnist", (64,)),
}
FLOORS = {"digits": 95.0, "mnist": 93.0}  # percent
WAYS = {"advised": "from 0.1", "decay": "from the chosen rate"}
PLANS = {
    "C-047": Plan(
        effects={"points": 0.2},
        gates=("conv", "nest", "edge"),
        settings={
            "tasks": "digits 64-64-10 and 64-64-64-64-10; 4,000 MNIST images, 196-64-10",
            "decay": "by equal ratios to 1e-4, from 0.1 or from the chosen rate",
            "rates": "0.05 to 6.4 by factors of 2, for both arms",
            "nest": "chosen by validation error on tuning seeds; resampled 200 times, variance "
            "added",
            "together": "any of the two ways, each on all tasks",
            "conv": "twice the updates at the best constant rate; floors of 95 % and 93 %",
        },
        revised="6,000 updates: after 1,500, twice as many moved the constant rate by 0.6 points",
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: MNIST images, a fifth of them to choose by; `steps`: of every run."""

    count: int = 5000
    steps: int = 6000
    seeds: int = 20
    tuning_seeds: int = 5
    seed: int = 35_047


SMOKE = Config(count=200, steps=12, seeds=2)
FULL = Config(count=60_000, steps=20_000)


def run(config: Config) -> dict[str, Any]:
    """Per task: accuracies in percent on tuning and fresh seeds, and the choice's variance."""
    *images, name = lab.split("mnist", config.count)
    sets = {"mnist": images, "digits": data.load("digits", validation=0.2)}
    keys = jax.random.split(jax.random.key(config.seed), len(TASKS))
    found = {}
    for (task, (wanted, hidden)), key in zip(TASKS.items(), keys, strict=True):
        splits = [mlp.examples(split) for split in sets[wanted]]
        found[task] = compare(key, splits, hidden, config)
    return {"data_set": name, "steps": config.steps, "tasks": found}


def compare(
    key: jax.Array, splits: list[mlp.Examples], hidden: tuple[int, ...], config: Config
) -> dict[str, Any]:
    """Tunes both arms on one task and tests them and the advised rate on the same seeds."""
    fit, held_back, test = splits
    sizes = (fit.x.shape[1], *hidden, 10)

    def trainer(steps: int) -> Any:
        @jax.jit
        def trained(key: jax.Array, trial: dict[str, jax.Array]) -> dict[str, jax.Array]:
            rate = schedules.geometric_decay(trial["rate"], trial["final"], steps - 1)
            end = mlp.train(optimizers.gradient_descent(rate), key, fit, steps, sizes=sizes).params
            good = jnp.isfinite(mlp.loss(end, fit))
            return {
                "error": 100 * jnp.where(good, 1 - mlp.accuracy(end, held_back), 1.0),
                "test": 100 * jnp.where(good, mlp.accuracy(end, test), 0.0),
            }

        return trained

    rates, run_one = RATES.astype(np.float32), trainer(config.steps)
    finals = {"constant": rates, "decay": np.full_like(rates, FINAL)}
    arms = {
        kind: Arm(run_one, {"rate": rates, "final": final}, lambda result: result["error"])
        for kind, final in finals.items()
    }
    found = tune(key, arms, tuning_seeds=config.tuning_seeds, seeds=config.seeds)
    constant, decay = found["constant"], found["decay"]
    keys = jax.random.split(key, config.seeds + config.tuning_seeds)  # as `tune` splits it
    literal = {"rate": np.float32(ADVISED), "final": np.float32(FINAL)}
    advised = repeat(run_one, keys[: config.seeds], literal)["test"]
    pilots = keys[config.seeds :]
    variances = {
        "advised": choice_variance(lambda theirs: advised - theirs["test"], constant),
        "decay": choice_variance(
            lambda ours, theirs: ours["test"] - theirs["test"], decay, constant
        ),
    }
    return {
        "examples": len(fit.y),
        "error": {kind: arm.tuning for kind, arm in found.items()},
        "best": {kind: float(RATES[arm.best]) for kind, arm in found.items()},
        "at edge": {kind: list(arm.at_edge) for kind, arm in found.items()},
        "test": {
            "constant": constant.tested["test"],
            "decay": decay.tested["test"],
            "advised": advised,
        },
        "variance": variances,
        "conv": [
            repeat(once, pilots, constant.trial)["test"]
            for once in (run_one, trainer(2 * config.steps))
        ],
    }


def gain(task: dict[str, Any], way: str) -> Any:
    """Test points over the constant rate, with the variance of the choice."""
    difference = task["test"][way] - task["test"]["constant"]
    return mean(difference, choice_variance=float(task["variance"][way]))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Decay from 0.1, or from the chosen rate, must be better on every task."""
    effect, tasks = PLANS["C-047"].effects["points"], results["tasks"]
    parts = [
        part_of(
            [
                paired(
                    f"decay {words}, {label(results, task)}: test points over the constant rate",
                    gain(tasks[task], way),
                    effect=effect,
                    claimed="up",
                    panel="a",
                )
                for task in TASKS
            ],
            "all",
        )
        for way, words in WAYS.items()
    ]
    beside = [
        f"{label(results, task)}: constant {found['best']['constant']:g} "
        f"{found['test']['constant'].mean():.2f} %; from 0.1 {found['test']['advised'].mean():.2f} "
        f"% (gain {points(found, 'advised')}); from {found['best']['decay']:g} "
        f"{found['test']['decay'].mean():.2f} % (gain {points(found, 'decay')})"
        for task, found in tasks.items()
    ]
    examples = ", ".join(f"{label(results, task)} {tasks[task]['examples']:,}" for task in TASKS)
    return [
        exists(
            "C-047",
            parts,
            gates=gates(results),
            scope=f"examples: {examples}; ReLU layers of 64, plain SGD, batches of {mlp.BATCH}, "
            f"{results['steps']:.0f} updates, float32",
            beside=beside,
        )
    ]


def points(task: dict[str, Any], way: str) -> str:
    found = gain(task, way)
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def gates(results: dict[str, Any]) -> list[Gate]:
    """Converged with its floor on every task, chosen elsewhere, no winner at an end."""
    effect, rows = PLANS["C-047"].effects["points"], []
    for task, found in results["tasks"].items():
        gate = converged(*found["conv"], effect=effect)
        floor, reached = FLOORS[TASKS[task][0]], found["test"]["constant"].mean()
        text = f"{label(results, task)}: {gate.text}, {reached:.1f} % (floor {floor:g} %)"
        rows.append((gate.passed and reached >= floor, text))
    spread = max(max(found["variance"].values()) for found in results["tasks"].values())
    edges = {
        f"{label(results, task)} {kind}": Tuned(
            np.zeros(0), 0, 0, 0, at_edge=tuple(found["at edge"][kind])
        )
        for task, found in results["tasks"].items()
        for kind in found["best"]
    }
    return [
        Gate(
            "conv", all(passed for passed, _ in rows), "; ".join(text for _, text in sorted(rows))
        ),
        Gate("nest", None, f"the choice adds a standard deviation of {spread**0.5:.2g} at most"),
        inside_grids(edges),
    ]


def label(results: dict[str, Any], task: str) -> str:
    """The task's name, with the data that were used."""
    return task.replace("MNIST", data_name(results["data_set"]))


def draw(results: dict[str, Any]) -> Figure:
    """What decay gains on each task, and the tuning of both arms."""
    fig, (gains, tuning) = figure(1, 2, width=6.0, height=4.6)
    draw_gains(gains, results)
    for task, colour in zip(TASKS, COLOURS, strict=False):
        for kind, line in (("constant", "-"), ("decay", "--")):
            errors = results["tasks"][task]["error"][kind].mean(axis=1)
            name = f"{label(results, task)}, {kind}"
            tuning.loglog(RATES, errors, line, marker="o", ms=4, color=colour, label=name)
    tuning.set(xlabel="(first) learning rate", ylabel="validation error / %")
    tuning.set_xticks(RATES[::2], [f"{rate:g}" for rate in RATES[::2]])
    tuning.set_yticks([2, 5, 10, 20, 50, 100], ["2", "5", "10", "20", "50", "100"])
    tuning.minorticks_off()
    tuning.set_ylim(1.6, 1500)
    seeds = np.shape(results["tasks"]["digits, one layer"]["error"]["decay"])[1]
    tuning.set_title(f"tuning: mean of {seeds} other seeds")
    tuning.legend(loc="upper left")
    return fig


def draw_gains(axes: Axes, results: dict[str, Any]) -> None:
    """Every seed's gain, their mean and its interval."""
    effect = PLANS["C-047"].effects["points"]
    for i, (way, words) in enumerate(WAYS.items()):
        for row, task in enumerate(TASKS):
            found = results["tasks"][task]
            each = found["test"][way] - found["test"]["constant"]
            estimate = gain(found, way)
            place = row + 0.18 - 0.36 * i
            color = COLOURS[3 + i]
            axes.plot(each, np.full(len(each), place + 0.1), ".", color=color, alpha=0.4, ms=4)
            error = [[estimate.value - estimate.low], [estimate.high - estimate.value]]
            axes.errorbar(
                estimate.value, place, xerr=error, fmt="o", capsize=4, color=color,
                label=f"decay {words}" if row == 0 else None,
            )  # fmt: skip
    axes.axvspan(-effect, effect, color="grey", alpha=0.2, lw=0, label=f"under {effect:g} points")
    axes.axvline(0, color="black", lw=1)
    axes.set_yticks(
        range(len(TASKS)), [label(results, task).replace(", ", ",\n") for task in TASKS]
    )
    axes.set(xlabel="test points over the constant rate", ylim=(-0.6, len(TASKS) + 0.3))
    seeds = len(results["tasks"]["digits, one layer"]["test"]["decay"])
    axes.set_title(f"mean and 95 % of {seeds} seeds and of the choice")
    axes.legend(loc="upper left")
