"""Which momentum is good: are 0.9 and 0.99?

002:244 says "usually 0.9 or 0.99". For every rho the best rate of one grid, chosen on other seeds;
a rho is good if its final loss is below that of rho = 0: mean log10 ratio over paired seeds with
its interval below 0. (a) A 10-dimensional quadratic, kappa = 100, gradient noise N(0, I), loss of
the last tenth. (b) Logistic regression, digit above 4 or not, on real pixels, mini-batches of 32,
full training loss at the end.

Command: python -m experiments --only which_momentum_is_good      (CPU, about 4 s)
"""

import dataclasses
from typing import Any

import jax
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.engine import COLOURS, figure, interval
from experiments.engine.before import Verdict, combine, paired
from experiments.momentum._final_loss import at_best_rates
from experiments.momentum._images import minibatch_loss, small_digit_table
from jaxtricks import optimizers, surfaces

FIGURES = ()
CLAIMS = ("C-015",)
TIER = 2

GOOD = (0.9, 0.99)
PROBLEMS = ("quadratic", "images")


@dataclasses.dataclass(frozen=True)
class Config:
    """`rates`: of the grid, from 1e-4 to 3 over the largest curvature; `seeds`, and 5 to tune.

    `problems`: the smoke run takes one of them.
    """

    problems: tuple[str, ...] = PROBLEMS
    decays: tuple[float, ...] = (0.0, 0.5, 0.9, 0.95, 0.99, 0.999)
    rates: int = 15
    steps: int = 400
    count: int = 1000
    seeds: int = 10
    tuning_seeds: int = 5


SMOKE = Config(
    problems=("quadratic",), decays=(0.0, 0.9, 0.99), rates=5, steps=60, seeds=5, tuning_seeds=2
)
FULL = Config(rates=30, steps=2000, seeds=20, tuning_seeds=10)


def with_decay(rate: jax.Array, decay: jax.Array) -> optax.GradientTransformation:
    """The rule of one rate and one memory."""
    return optimizers.momentum(rate, decay=decay)


def run(config: Config) -> dict[str, Any]:
    """Final losses `[rho, seed]` of both problems at the tuned rates."""
    grid = np.geomspace(1e-4, 3.0, config.rates, dtype=np.float32)
    results: dict[str, Any] = {"decays": config.decays, "grid": grid, "steps": config.steps}
    for problem in config.problems:
        if problem == "quadratic":
            clean = surfaces.quadratic(np.geomspace(1.0, 100.0, 10, dtype=np.float32))
            noisy = surfaces.with_gradient_noise(clean, 1.0)
            curvature, tail = 100.0, max(config.steps // 10, 1)
        else:
            inputs, labels, results["data_set"] = small_digit_table(config.count)
            clean = surfaces.logistic_regression(inputs, labels)
            noisy = minibatch_loss(inputs, labels, 32)
            curvature, tail = np.linalg.norm(inputs, 2) ** 2 / len(inputs) / 4, 1
        tuned = at_best_rates(
            jax.random.key(1), with_decay, config.decays, grid / curvature, noisy, clean,
            clean.start, steps=config.steps, tail=tail, tuning_seeds=config.tuning_seeds,
            seeds=config.seeds,
        )  # fmt: skip
        tuned["best rate"] *= curvature
        results |= {f"{problem} {name}": values for name, values in tuned.items()}
    return results


def problems_of(results: dict[str, Any]) -> list[str]:
    """The problems that were run."""
    return [problem for problem in PROBLEMS if f"{problem} loss" in results]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """0.9 and 0.99 must each beat rho = 0 on both problems."""
    decays, parts = list(results["decays"]), []
    for problem in problems_of(results):
        losses = results[f"{problem} loss"]
        means = losses.mean(axis=1)
        best = decays[int(means.argmin())]
        for good in GOOD:
            i = decays.index(good)
            text = (
                f"{problem}: rho {good:g} ends at {means[i]:.4g}, 0 at {means[0]:.4g} (best "
                f"{best:g}), log10 ratio"
            )
            parts.append(paired("C-015", np.log10(losses[i] / losses[0]), text, claimed="negative"))
    return [combine("C-015", parts)]


def draw(results: dict[str, Any]) -> Figure:
    """Loss against the rate for every rho, and the tuned losses."""
    problems = problems_of(results)
    fig, axes = figure(len(problems), 2, width=4.8, height=3.3)
    at = np.arange(len(results["decays"]))
    titles = {
        "quadratic": "noisy quadratic, 10 dimensions, $\\kappa$ = 100",
        "images": f"{results.get('data_set')}: logistic regression, batches of 32",
    }
    for row, problem in enumerate(problems):
        curves, tuned = axes[2 * row], axes[2 * row + 1]
        lowest = results[f"{problem} tuning"].min()
        for i, decay in enumerate(results["decays"]):
            y = results[f"{problem} tuning"][i]
            curves.loglog(results["grid"], y, "o-", ms=3, color=COLOURS[i], label=f"{decay:g}")
        curves.set(xlabel=r"rate times largest curvature, $\alpha h_{max}$", title=titles[problem])
        curves.set_ylabel("loss at the end, mean of tuning seeds")
        tuned.set_yscale("log" if problem == "quadratic" else "linear")
        curves.set_ylim(lowest * 0.8, results[f"{problem} tuning"][0][0] * 3)
        rows = np.array([interval(values) for values in results[f"{problem} loss"]])
        bars = np.abs(rows[:, 1:] - rows[:, :1]).T
        tuned.errorbar(at, rows[:, 0], bars, fmt="o", color=COLOURS[0], capsize=4)
        tuned.set_xticks(at, [f"{decay:g}" for decay in results["decays"]])
        tuned.set(xlabel=r"momentum $\rho$", ylabel="loss at the end")
        seeds = results[f"{problem} loss"].shape[1]
        tuned.set_title(f"best rate, {results['steps']} steps, mean and 95 %, {seeds} seeds")
        curves.legend(title=r"$\rho$", loc="center left", bbox_to_anchor=(1, 0.5))
    return fig
