"""Does momentum SGD with a decaying rate end above Adam, and does Adam lead at first?

002:612-614 and 004:276-279 (S-OPT-21): Adam is fast at first, decayed SGD with momentum ends
slightly better but needs careful tuning. A network of two convolutions on 2,000 CIFAR-10 images
averaged to 16 x 16 (or digits), batches of 32. Cosine-decayed SGD with momentum, Adam with a
constant rate as the lecture has it, Adam with the same decay (which tells decay from rule), and
Adam that gives way to SGD at half time; 20 random trials each of two hyper-parameters over equally
wide ranges, the best chosen by the error on 500 held-back images, mean of 2 tuning seeds; 5 fresh
seeds for the test. C-041: train loss in 5-10 % of the updates, Adam minus SGD, claimed negative.
C-040: test accuracy at the end, SGD minus Adam, claimed positive, and the median trial falls
farther below the best for SGD.

Command: python -m experiments --only does_decayed_momentum_end_above_adam      (CPU, about 5 min)
"""

import dataclasses
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, band, data_name, figure, interval, method
from experiments.engine.before import Verdict, combine, exact, paired
from experiments.optimizers._rules import switching_race
from jaxtricks import models

FIGURES = ("F-040",)
CLAIMS = ("C-040", "C-041")
TIER = 2

SWITCH = "switch at 0.5"
LABELS = {
    "sgd": "SGD + momentum, decayed",
    "adam": "Adam, constant rate",
    "adam, decayed": "Adam, decayed",
    SWITCH: "Adam, at half time SGD",
}
LOOKS = {
    "sgd": method("momentum"),
    "adam": method("adam"),
    "adam, decayed": {"color": COLOURS[0], "linestyle": "-."},
    SWITCH: method("adam to sgd"),
}
EARLY = 1  # the second of 20 parts of a run: 5 to 10 % of its updates


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: images, a fifth to choose by; `steps`: a multiple of 20; `seeds`, others to tune.

    `features`: of the convolutions; none stands for softmax regression, because convolutions take
    long to compile.
    """

    data_set: str = "cifar10"
    count: int = 2500
    features: tuple[int, ...] = (8, 16)
    hidden: int = 32
    steps: int = 600
    trials: int = 20
    tuning_seeds: int = 2
    seeds: int = 5


SMOKE = Config("digits", 100, features=(), steps=20, trials=2, seeds=2)
FULL = Config(count=50_000, features=(32, 64), hidden=128, steps=20_000, tuning_seeds=3, seeds=10)


def run(config: Config) -> dict[str, Any]:
    """Per arm: errors in percent `[trial, tuning seed]`, the best trial, curves `[seed, part]`."""
    if config.features:
        model = models.SmallCNN(config.features, config.hidden)
    else:
        model = models.linear_model()
    return switching_race(model, config, (0.5,))


def shortfall(tuning: np.ndarray) -> float:
    """How far the median trial is from the best, in points of error, mean over tuning seeds."""
    means = tuning.mean(axis=1)
    return float(np.median(means) - means.min())


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The end and the need of tuning; the start."""
    accuracy = {name: 100 - errors[:, -1] for name, errors in results["error"].items()}
    ends = ", ".join(f"{LABELS[name]} {values.mean():.1f}" for name, values in accuracy.items())
    text = f"test accuracy at the end / %: {ends}; SGD minus Adam at a constant rate"
    end = paired("C-040", accuracy["sgd"] - accuracy["adam"], text, claimed="positive")
    control = interval(accuracy["sgd"] - accuracy["adam, decayed"])
    falls = {name: shortfall(tuning) for name, tuning in results["tuning"].items()}
    words = (
        f"minus decayed Adam {control[0]:.2g} [{control[1]:.2g}, {control[2]:.2g}]; the median "
        f"trial is {falls['sgd']:.1f} points below the best for SGD, {falls['adam']:.1f} for Adam"
    )
    tuning = exact("C-040", falls["sgd"] > falls["adam"], words)
    early = {name: losses[:, EARLY] for name, losses in results["loss"].items()}
    text = (
        f"train loss in 5-10 % of the updates: Adam {early['adam'].mean():.3f}, SGD "
        f"{early['sgd'].mean():.3f}; Adam minus SGD"
    )
    start = paired("C-041", early["adam"] - early["sgd"], text, claimed="negative")
    return [combine("C-040", [end, tuning]), start]


def draw(results: dict[str, Any]) -> Figure:
    """Train loss and test error over the updates, and the errors of all trials."""
    fig, (losses, errors, spread) = figure(1, 3, width=5.2, height=4.6)
    for axes, key in ((losses, "loss"), (errors, "error")):
        for name, curves in results[key].items():
            rows = np.array([interval(column) for column in curves.T])
            share = 100 * (np.arange(len(rows)) + (0.5 if key == "loss" else 1)) / len(rows)
            band(axes, share, *rows.T, **{**LOOKS[name], "label": LABELS[name]})
        axes.set_xlabel(f"part of the {results['steps']} updates / %")
    losses.axvspan(5, 10, color="black", alpha=0.08, lw=0)
    seeds = len(results["error"]["sgd"])
    losses.set(ylabel="train loss / nats")
    losses.set_title(f"{data_name(results['data_set'])}, best trials (shaded: 5 to 10 %)")
    errors.set(ylabel="test error / %", title=f"the same runs, mean and 95 % of {seeds} seeds")
    losses.set_ylim(top=losses.get_ylim()[1] + 0.35)
    losses.legend(loc="upper right")
    draw_trials(spread, results["tuning"])
    return fig


def draw_trials(axes: Axes, tuning: dict[str, np.ndarray]) -> None:
    """Held-back error of the trials of every arm, sorted."""
    for name, errors in tuning.items():
        means = np.sort(errors.mean(axis=1))
        axes.plot(1 + np.arange(len(means)), means, "o", ms=3, **LOOKS[name] | {"label": None})
    trials, seeds = tuning["sgd"].shape
    axes.set_xticks(np.unique(np.linspace(1, trials, 5).round()))
    axes.set(xlabel="rank of the trial", ylabel="held-back error / %")
    axes.set_title(f"all {trials} trials, mean of {seeds} tuning seeds")
