"""Does it help to begin with Adam and to switch to SGD?

004:278-279: first Adam for its speed, later SGD to find the optimum slowly. A 64-64-10 ReLU net on
4,000 MNIST images averaged to 14 x 14 (or digits), batches of 32. Adam at a constant rate;
SGD with momentum, its rate decayed as a cosine; Adam for the first 25, 50 and 75 % of the updates,
then such an SGD, its velocity carried over; and, as a control, Adam with the same decay. Equal
budgets: 20 random trials each of two hyper-parameters over equally wide ranges, the best chosen by
the error on held-back images, mean of 3 tuning seeds; 10 fresh seeds. C-042: test accuracy at the
end, mean of the three switching arms minus Adam, and minus SGD, both claimed positive.

Command: python -m experiments --only does_switching_from_adam_to_sgd_help      (CPU, about 60 s)
"""

import dataclasses
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.engine import COLOURS, band, data_name, figure, interval, method
from experiments.engine.before import Verdict, combine, paired
from experiments.optimizers._rules import switching_race
from jaxtricks import models

CLAIMS = ("C-042",)
TIER = 2

SHARES = (0.25, 0.5, 0.75)
LOSS_TICKS = (0.05, 0.1, 0.2, 0.5, 1)
SWITCHES = tuple(f"switch at {share:g}" for share in SHARES)
LOOKS = {
    "adam": method("adam") | {"label": "Adam, constant rate"},
    "adam, decayed": {"color": COLOURS[0], "linestyle": "-.", "label": "Adam, decayed"},
    "switch at 0.75": {"color": COLOURS[4], "linestyle": "--", "label": "SGD from 75 % on"},
    "switch at 0.5": method("adam to sgd") | {"label": "SGD from 50 % on"},
    "switch at 0.25": {"color": COLOURS[7], "linestyle": "--", "label": "SGD from 25 % on"},
    "sgd": method("momentum") | {"label": "SGD + momentum, decayed"},
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: images, a fifth to choose by; `steps`: a multiple of 20; `seeds`, others to tune."""

    data_set: str = "mnist"
    count: int = 5000
    hidden: tuple[int, ...] = (64, 64)
    steps: int = 800
    trials: int = 20
    tuning_seeds: int = 3
    seeds: int = 10


SMOKE = Config("digits", 100, hidden=(), steps=20, trials=2, tuning_seeds=1, seeds=2)
FULL = Config(count=60_000, hidden=(256, 256), steps=20_000, seeds=20)


def run(config: Config) -> dict[str, Any]:
    """Per arm: errors in percent `[trial, tuning seed]`, the best trial, curves `[seed, part]`."""
    return switching_race(models.MLP((*config.hidden, 10)), config, SHARES)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The switching arms together against each of the rules that they are made of."""
    accuracy = {name: 100 - errors[:, -1] for name, errors in results["error"].items()}
    switching = np.mean([accuracy[name] for name in SWITCHES], axis=0)
    each = ", ".join(f"{values.mean():.2f} {name}" for name, values in accuracy.items())
    mean, low, high = interval(switching - accuracy["adam, decayed"])
    text = (
        f"test accuracy / %: {each}; mean of the three switches minus decayed Adam {mean:.2g} "
        f"[{low:.2g}, {high:.2g}], minus Adam"
    )
    parts = [
        paired("C-042", switching - accuracy["adam"], text, claimed="positive"),
        paired("C-042", switching - accuracy["sgd"], "minus SGD", claimed="positive"),
    ]
    return [combine("C-042", parts)]


def draw(results: dict[str, Any]) -> Figure:
    """Train loss and test error over the updates, and the errors at the end."""
    fig, (losses, errors, ends) = figure(1, 3, width=5.2, height=4.6)
    for axes, key in ((losses, "loss"), (errors, "error")):
        for name, look in LOOKS.items():
            rows = np.array([interval(column) for column in results[key][name].T])
            share = 100 * (np.arange(len(rows)) + (0.5 if key == "loss" else 1)) / len(rows)
            band(axes, share, *rows.T, **look)
        axes.set_xlabel(f"part of the {results['steps']} updates / %")
    seeds, trials = len(results["error"]["sgd"]), len(results["tuning"]["sgd"])
    losses.set(ylabel="train loss / nats", yscale="log")
    losses.set_yticks(LOSS_TICKS, [f"{tick:g}" for tick in LOSS_TICKS])
    losses.minorticks_off()
    losses.set_title(f"{data_name(results['data_set'])}, best of {trials} trials each")
    errors.set(ylabel="test error / %", title=f"the same runs, mean and 95 % of {seeds} seeds")
    errors.legend(loc="upper right")
    for place, (name, look) in enumerate(LOOKS.items()):
        values = results["error"][name][:, -1]
        mean, low, high = interval(values)
        ends.plot(np.full(len(values), place), values, ".", color=look["color"], ms=4, alpha=0.6)
        bars = [[mean - low], [high - mean]]
        ends.errorbar([place + 0.2], [mean], bars, fmt="o", color=look["color"], capsize=4)
    ends.set_xticks(range(len(LOOKS)), ["all", "all,\ndecayed", "75 %", "50 %", "25 %", "none"])
    ends.set(ylabel="test error at the end / %", title="at the end; small points are seeds")
    ends.set_xlabel("Adam's part of the updates")
    return fig
