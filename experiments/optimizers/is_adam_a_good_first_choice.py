"""Is Adam a good first choice?

002:612 and 004:276: Adam is the first choice, and usually good. Seven rules without any tuning, on
five small tasks (see `_tasks.py`), batches of 32, 400 updates: rates of 0.01 for gradient descent,
momentum and Nesterov (0.9 both) as in Keras and for AdaGrad as in 004:208; 0.001 for RMSProp (decay
0.9) and Adam; 1 for AdaDelta, as in its paper. For each task and seed the rules are ranked by test
error, 1 the best, equal errors sharing the mean. C-039, mean rank over the tasks, 5 seeds: Adam's
is below 4, the middle (usually good), and below that of the best other rule (first choice).

Command: python -m experiments --only is_adam_a_good_first_choice      (CPU, about 90 s)
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import data_name, figure, interval, method, repeat
from experiments.engine.before import Verdict, combine, paired
from experiments.optimizers._rules import one_of
from experiments.optimizers._tasks import tasks
from jaxtricks import optimizers

CLAIMS = ("C-039",)
TIER = 2

RULES = {
    "gradient descent": (optimizers.gradient_descent, 0.01),
    "momentum": (optimizers.momentum, 0.01),
    "nesterov": (optimizers.nesterov, 0.01),
    "adagrad": (optimizers.adagrad, 0.01),
    "adadelta": (optimizers.adadelta, 1.0),
    "rmsprop": (optimizers.rmsprop, 0.001),
    "adam": (optimizers.adam, 0.001),
}
TICKS = (5, 10, 20, 40, 80)
SHOWN = {"mlp": "MLP", "cnn": "CNN"}
MARKERS = "osD^vPX"
ADAM = list(RULES).index("adam")


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: images of a task; `width`: of its layers."""

    names: tuple[str, ...] = ("linear", "mlp", "deep", "batch norm", "cnn")
    count: int = 2500
    width: int = 64
    steps: int = 400
    seeds: int = 5


SMOKE = Config(("linear",), 100, width=8, steps=20, seeds=2)
FULL = Config(count=50_000, width=256, steps=10_000, seeds=10)


def run(config: Config) -> dict[str, Any]:
    """Per task: test errors in percent `[rule, seed]`."""
    keys = jax.random.split(jax.random.key(0), config.seeds)
    makers, rates = zip(*RULES.values(), strict=True)
    trials = [{"rate": np.float32(rate), "rule": i} for i, rate in enumerate(rates)]
    results: dict[str, Any] = {"sets": {}, "error": {}, "steps": config.steps}
    for name, (model, images) in tasks(config.names, config.count, config.width).items():
        race = lab.racer(model, images, one_of(makers), steps=config.steps, marks=1)
        tested = [repeat(race, keys, trial) for trial in trials]
        results["error"][name] = np.stack([runs["error"][:, -1] for runs in tested])
        results["sets"][name] = images.name
    results["data_set"] = results["sets"][config.names[-1]]
    return results


def ranks(errors: np.ndarray) -> np.ndarray:
    """Ranks along the first axis, 1 for the least; equal values share the mean of theirs."""
    errors = np.asarray(errors)
    less = np.sum(errors[None] < errors[:, None], axis=1)
    equal = np.sum(errors[None] == errors[:, None], axis=1)
    return less + (equal + 1) / 2


def mean_ranks(results: dict[str, Any]) -> np.ndarray:
    """Over the tasks, `[rule, seed]`."""
    return np.mean([ranks(errors) for errors in results["error"].values()], axis=0)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Adam against the middle rank, and against its best rival."""
    mean = mean_ranks(results)
    names, means = list(RULES), mean.mean(axis=1)
    rival = min(set(range(len(names))) - {ADAM}, key=lambda i: means[i])
    each = ", ".join(f"{name} {value:.2f}" for name, value in zip(names, means, strict=True))
    middle = (len(names) + 1) / 2
    text = f"mean ranks: {each}; {middle:g} minus Adam's"
    parts = [
        paired("C-039", middle - mean[ADAM], text, claimed="positive"),
        paired("C-039", mean[rival] - mean[ADAM], f"{names[rival]} minus Adam", claimed="positive"),
    ]
    return [combine("C-039", parts)]


def draw(results: dict[str, Any]) -> Figure:
    """Test errors on every task, and the mean ranks."""
    fig, (errors, order) = figure(1, 2, width=6.6, height=4.6, width_ratios=(3, 2))
    names, mean = list(results["error"]), mean_ranks(results)
    for i, rule in enumerate(RULES):
        look = method(rule) | {"linestyle": "", "capsize": 2}
        rows = np.array([interval(results["error"][name][i]) for name in names])
        bars = np.abs(rows[:, 1:] - rows[:, :1]).T
        at = np.arange(len(names)) + 0.1 * (i - 3)
        errors.errorbar(at, rows[:, 0], bars, fmt=MARKERS[i], ms=5, **look)
        centre, low, high = interval(mean[i])
        bars = [[centre - low], [high - centre]]
        order.errorbar([centre], [i], xerr=bars, fmt=MARKERS[i], capsize=4, color=look["color"])
    labels = [f"{SHOWN.get(name, name)}\n{data_name(results['sets'][name])}" for name in names]
    errors.set_xticks(range(len(names)), labels)
    errors.set(ylabel="test error / %", yscale="log", ylim=(2.5, 100))
    errors.set_yticks(TICKS, [f"{tick}" for tick in TICKS])
    errors.minorticks_off()
    seeds = mean.shape[1]
    errors.set_title(f"after {results['steps']} updates, no tuning (mean and 95 %, {seeds} seeds)")
    errors.legend(loc="lower right", ncols=2)
    order.axvline((len(RULES) + 1) / 2, color="black", ls="--", lw=0.8)
    order.set_yticks(range(len(RULES)), list(RULES))
    order.set(xlabel="mean rank over the tasks, 1 is best", title="ranks (dashed: the middle)")
    return fig
