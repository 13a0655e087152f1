"""Does Adam need a momentum argument?

001:26: some optimizers, "such as Adam", have no momentum argument, because they do it themselves;
"only the original SGD" needs it. Three parts: the signatures of optax; Adam with b1 = 0.9 against
b1 = 0, each at the best rate of one grid (chosen on other seeds), mean log10 ratio of the final
losses over paired seeds below 0, on a noisy turned valley (kappa = 100) and on logistic regression
over real pixels; and whether plain SGD is the only rule with such an argument.
(After a first look the final loss became the mean of the last 8 points, before every fourth of the
last 30: no outcome changed.)

Command: python -m experiments --only does_adam_need_momentum      (CPU, about 4 s)
"""

import dataclasses
import inspect
import math
from typing import Any

import jax
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, figure, interval
from experiments.engine.before import Verdict, combine, exact, paired
from experiments.momentum._final_loss import at_best_rates
from experiments.momentum._images import minibatch_loss, small_digit_table
from jaxtricks import optimizers, surfaces

FIGURES = ()
CLAIMS = ("C-018",)
ERRATA = ("E-63",)
TIER = 2

PROBLEMS = ("valley", "images")
RULES = {
    "sgd": optax.sgd,
    "rmsprop": optax.rmsprop,
    "adagrad": optax.adagrad,
    "adadelta": optax.adadelta,
    "adam": optax.adam,
    "nadam": optax.nadam,
}
MEMORY = ("momentum", "b1")


@dataclasses.dataclass(frozen=True)
class Config:
    """`b1`: with 0 first; `rates`: of the grid from 1e-4 to 1; `seeds`, and 5 to tune.

    `problems`: the smoke run takes one of them.
    """

    problems: tuple[str, ...] = PROBLEMS
    b1: tuple[float, ...] = (0.0, 0.5, 0.9, 0.99)
    rates: int = 13
    steps: int = 300
    count: int = 1000
    seeds: int = 20
    tuning_seeds: int = 5


SMOKE = Config(
    problems=("images",), b1=(0.0, 0.9), rates=5, steps=60, count=200, seeds=5, tuning_seeds=2
)
FULL = Config(rates=30, steps=2000, seeds=50, tuning_seeds=10)


def with_b1(rate: jax.Array, b1: jax.Array) -> optax.GradientTransformation:
    """The rule of one rate and one memory."""
    return optimizers.adam(rate, b1=b1)


def run(config: Config) -> dict[str, Any]:
    """The table of arguments, and final losses at the tuned rates `[b1, seed]`."""
    grid = np.geomspace(1e-4, 1.0, config.rates, dtype=np.float32)
    results: dict[str, Any] = {"b1": config.b1, "grid": grid}
    results |= {"steps": config.steps, "arguments": arguments()}
    for problem in config.problems:
        if problem == "valley":
            clean = surfaces.quadratic((1.0, 100.0), angle=math.pi / 6)
            noisy = surfaces.with_gradient_noise(clean, 1.0)
        else:
            inputs, labels, results["data_set"] = small_digit_table(config.count)
            clean = surfaces.logistic_regression(inputs, labels)
            noisy = minibatch_loss(inputs, labels, 32)
        tuned = at_best_rates(
            jax.random.key(2), with_b1, config.b1, grid, noisy, clean, clean.start,
            steps=config.steps, tail=8, tuning_seeds=config.tuning_seeds, seeds=config.seeds,
        )  # fmt: skip
        results |= {f"{problem} {name}": values for name, values in tuned.items()}
    return results


def arguments() -> dict[str, str]:
    """For each rule of optax, its argument that remembers gradients, or "none"."""
    table = {}
    for rule, factory in RULES.items():
        names = [name for name in inspect.signature(factory).parameters if name in MEMORY]
        table[rule] = ", ".join(names) or "none"
    return table


def problems_of(results: dict[str, Any]) -> list[str]:
    """The problems that were run."""
    return [problem for problem in PROBLEMS if f"{problem} loss" in results]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """No such argument; b1 = 0.9 helps; and SGD is the only rule that has the argument."""
    table, b1 = results["arguments"], list(results["b1"])
    with_argument = [name for name, found in table.items() if "momentum" in found]
    parts = [
        exact(
            "C-018",
            "momentum" not in table["adam"],
            f"adam has no argument `momentum`, its memory is `{table['adam']}`",
        )
    ]
    for problem in problems_of(results):
        losses = results[f"{problem} loss"]
        with_b1, without = losses[b1.index(0.9)], losses[0]
        text = f"{problem}: b1 0.9 ends at {with_b1.mean():.4g}, 0 at {without.mean():.4g}, log10"
        parts.append(paired("C-018", np.log10(with_b1 / without), text, claimed="negative"))
    only = exact(
        "C-018", with_argument == ["sgd"], f"`momentum` is taken by {' and '.join(with_argument)}"
    )
    return [
        combine("C-018", [*parts, only]),
        exact(
            "E-63",
            table["adam"] == "b1" and "rmsprop" in with_argument,
            f"adam's momentum is its argument {table['adam']}; an argument `momentum` is taken by "
            f"{' and '.join(with_argument)}",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Loss against the rate for every b1, the tuned losses, and the table."""
    fig, axes = figure(2, 2, width=4.8, height=3.3)
    problems = problems_of(results)
    titles = {
        "valley": r"noisy turned valley, $\kappa$ = 100",
        "images": f"{results.get('data_set')}: logistic regression",
    }
    for panel, problem in zip(axes, problems, strict=False):
        for i, b1 in enumerate(results["b1"]):
            y = results[f"{problem} tuning"][i]
            panel.loglog(results["grid"], y, "o-", ms=3, color=COLOURS[i], label=f"{b1:g}")
        panel.set(xlabel="rate", ylabel="loss at the end, mean of tuning seeds")
        panel.set_title(titles[problem])
        panel.legend(title=r"$\beta_1$")
    for panel in axes[len(problems) : 2]:
        panel.axis("off")
    draw_tuned(axes[2], results)
    axes[3].axis("off")
    rows = [[name, found] for name, found in results["arguments"].items()]
    drawn = axes[3].table(rows, colLabels=["rule of optax", "argument that remembers gradients"],
                          loc="center", cellLoc="left", colWidths=[0.3, 0.7])  # fmt: skip
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(9)
    drawn.scale(1, 1.5)
    return fig


def draw_tuned(axes: Axes, results: dict[str, Any]) -> None:
    """Final losses at the best rates, over those of b1 = 0."""
    at = np.arange(len(results["b1"]))
    for j, problem in enumerate(problems_of(results)):
        losses = results[f"{problem} loss"]
        rows = np.array([interval(row) for row in losses / losses[0]])
        bars = np.abs(rows[:, 1:] - rows[:, :1]).T
        look = {"color": COLOURS[j], "capsize": 4, "label": problem}
        axes.errorbar(at + 0.1 * j - 0.05, rows[:, 0], bars, fmt="o", **look)
    axes.axhline(1, color="grey", linewidth=0.8)
    axes.set_xticks(at, [f"{b1:g}" for b1 in results["b1"]])
    axes.set(xlabel=r"$\beta_1$", ylabel=r"final loss / that of $\beta_1 = 0$", yscale="log")
    seeds = losses.shape[1]
    axes.set_title(f"best rates, {results['steps']} steps, mean and 95 %, {seeds} seeds")
    axes.legend()
