"""Are Adam's defaults good?

002:478-480 and 004:251: beta_1 = 0.9, beta_2 = 0.999 and a rate of 1e-3 or 5e-4. On five small
tasks (see `_tasks.py`), batches of 32, the test error of Adam as the notes have it, with each rate,
minus that of a tuned Adam: the best by held-back error of 20 trials, whose rate is random over
3e-5 to 3e-2, 1 - beta_1 over 0.01 to 0.5 and 1 - beta_2 over 3e-4 to 0.1, all as logarithms. The
defaults are none of them. C-038: a default is good if it loses less than one point of accuracy,
averaged over the tasks; 3 fresh seeds, 1 minus the mean regret claimed positive, for both rates.

Command: python -m experiments --only are_adams_defaults_good      (CPU, about 80 s)
"""

import dataclasses
from typing import Any

import jax
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import COLOURS, Arm, data_name, figure, interval, repeat, tune
from experiments.engine.before import Verdict, combine, paired
from experiments.optimizers._tasks import tasks
from jaxtricks import optimizers

CLAIMS = ("C-038",)
TIER = 2

RATES = (1e-3, 5e-4)
GOOD = 1.0  # points of accuracy
TICKS = (5, 10, 20, 40, 80)
SHOWN = {"mlp": "MLP", "cnn": "CNN"}


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: images of a task; `width`: of its layers; `seeds`, and others to tune."""

    names: tuple[str, ...] = ("linear", "mlp", "deep", "batch norm", "cnn")
    count: int = 2500
    width: int = 64
    steps: int = 400
    trials: int = 20
    tuning_seeds: int = 2
    seeds: int = 3


SMOKE = Config(("linear",), 100, width=8, steps=20, trials=2, tuning_seeds=1, seeds=2)
FULL = Config(count=50_000, width=256, steps=10_000, tuning_seeds=3, seeds=5)


def adam(trial: jax.Array) -> optax.GradientTransformation:
    """Of `(rate, beta_1, beta_2)`."""
    return optimizers.adam(trial[0], b1=trial[1], b2=trial[2])


def draws(trials: int) -> np.ndarray:
    """Random `(rate, beta_1, beta_2)`, one a row."""
    u = np.random.default_rng(0).random((3, trials))
    rows = (3e-5 * 1000 ** u[0], 1 - 0.01 * 50 ** u[1], 1 - 3e-4 * 333 ** u[2])
    return np.stack(rows, axis=1).astype(np.float32)


def run(config: Config) -> dict[str, Any]:
    """Per task: errors in percent `[trial, tuning seed]`, and tests `[seed, arm]`, tuned first."""
    results: dict[str, Any] = {"sets": {}, "tuning": {}, "best": {}, "error": {}}
    defaults = np.array([(rate, 0.9, 0.999) for rate in RATES], np.float32)
    key = jax.random.key(0)
    fresh = jax.random.split(key, config.seeds + config.tuning_seeds)[: config.seeds]
    for name, (model, images) in tasks(config.names, config.count, config.width).items():
        race = lab.racer(model, images, adam, steps=config.steps, marks=1)
        arm = Arm(race, draws(config.trials), lab.held_back)
        found = tune(key, {"adam": arm}, tuning_seeds=config.tuning_seeds, seeds=config.seeds)
        tests = [found["adam"].tested, *(repeat(race, fresh, default) for default in defaults)]
        results["sets"][name] = images.name
        results["tuning"][name], results["best"][name] = found["adam"].tuning, found["adam"].trial
        results["error"][name] = np.stack([tested["error"][:, -1] for tested in tests], axis=1)
    results["data_set"] = results["sets"][config.names[-1]]
    return results


def regrets(results: dict[str, Any]) -> np.ndarray:
    """Points of accuracy that the defaults lose, `[task, seed, rate]`."""
    errors = np.stack(list(results["error"].values()))
    return errors[..., 1:] - errors[..., :1]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Both rates must lose less than a point on average."""
    lost, names = regrets(results), list(results["error"])
    parts = []
    for i, rate in enumerate(RATES):
        each = zip(names, lost[..., i].mean(axis=1), strict=True)
        text = (
            f"rate {rate:g}: points lost, "
            + ", ".join(f"{name} {points:.2f}" for name, points in each)
            + f", mean {lost[..., i].mean():.2f}; {GOOD:g} minus the mean"
        )
        margin = GOOD - lost[..., i].mean(axis=0)
        parts.append(paired("C-038", margin, text, claimed="positive"))
    return [combine("C-038", parts)]


def draw(results: dict[str, Any]) -> Figure:
    """The regret on every task, and where the defaults lie among the trials."""
    fig, (regret, field) = figure(1, 2, width=6.6, height=4.4)
    lost, names = regrets(results), list(results["error"])
    labels = [f"{SHOWN.get(name, name)}\n{data_name(results['sets'][name])}" for name in names]
    at = np.arange(len(names))
    for i, rate in enumerate(RATES):
        look = {"color": COLOURS[i], "label": f"rate {rate:g}"}
        rows = np.array([interval(values) for values in lost[..., i]])
        bars = np.abs(rows[:, 1:] - rows[:, :1]).T
        regret.errorbar(at + 0.2 * i - 0.1, rows[:, 0], bars, fmt="os"[i], capsize=4, **look)
        means = [results["error"][name][:, 1 + i].mean() for name in names]
        look["label"] = f"rate {rate:g}, test error"
        field.plot(at + 0.15 + 0.15 * i, means, "<", ls="", ms=7, **look)
    regret.axhline(0, color="black", lw=0.8)
    regret.axhline(GOOD, color="black", lw=0.8, ls="--", label="one point")
    regret.set(ylabel="points of test accuracy lost")
    regret.set_title(f"default minus tuned Adam, mean and 95 % of {lost.shape[1]} seeds")
    for place, name in enumerate(names):
        means = results["tuning"][name].mean(axis=1)
        label = "a trial, held-back error" if place == 0 else None
        field.plot(np.full(len(means), place), means, ".", color="grey", ms=5, label=label)
    trials = len(results["tuning"][names[0]])
    field.set(ylabel="error / %", yscale="log", title=f"all {trials} trials and the defaults")
    field.set_yticks(TICKS, [f"{tick}" for tick in TICKS])
    field.minorticks_off()
    for panel in (regret, field):
        panel.set_xticks(at, labels)
    regret.legend(loc="upper center")
    field.legend(loc="lower right")
    return fig
