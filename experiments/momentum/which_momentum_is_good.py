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
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, data_name, figure, interval, ordered
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
    fig, axes = figure(1, len(problems) + 1, width=5.2, height=4.4)
    titles = {
        "quadratic": r"noisy quadratic, 10 weights, $\kappa$ = 100",
        "images": f"{data_name(results.get('data_set', ''))}: logistic regression",
    }
    for panel, problem in zip(axes, problems, strict=False):
        rows = zip(results["decays"], results[f"{problem} tuning"], "osD^vP", strict=False)
        for decay, losses, marker in rows:
            look = {"color": ordered("decay", decay), "label": rf"$\rho$ = {decay:g}"}
            panel.loglog(results["grid"], losses, marker=marker, ms=5, **look)
        lowest, highest = results[f"{problem} tuning"].min(), results[f"{problem} tuning"][0][0]
        panel.set(xlabel=r"rate $\times$ largest curvature", title=titles[problem])
        panel.set_ylim(lowest * 0.8, highest * 3)
    axes[0].set_ylabel("loss after tuning runs")
    if "images" in problems:
        panel = axes[problems.index("images")]
        panel.set(ylabel="loss after tuning runs / nats")
        panel.set_yticks([0.4, 0.6, 1, 2], ["0.4", "0.6", "1", "2"])
        panel.minorticks_off()
    axes[-2].legend(loc="upper left")
    draw_tuned(axes[-1], results)
    return fig


def draw_tuned(axes: Axes, results: dict[str, Any]) -> None:
    """Losses at the best rates, over those without momentum."""
    at = np.arange(len(results["decays"]))
    for j, problem in enumerate(problems_of(results)):
        losses = results[f"{problem} loss"]
        rows = np.array([interval(values) for values in np.log10(losses / losses[0])])
        rows = 10.0**rows
        bars = np.abs(rows[:, 1:] - rows[:, :1]).T
        name = "quadratic" if problem == "quadratic" else data_name(results["data_set"])
        look = {"color": COLOURS[j], "capsize": 4, "label": f"{name}, {losses.shape[1]} seeds"}
        axes.errorbar(at + 0.2 * j - 0.1, rows[:, 0], bars, fmt="os"[j], **look)
    axes.axhline(1, color="grey", linewidth=0.8)
    axes.set_xticks(at, [f"{decay:g}" for decay in results["decays"]])
    axes.set(xlabel=r"momentum $\rho$", ylabel="loss / loss without momentum", yscale="log")
    axes.set_title(f"best rate, {results['steps']} steps, mean and 95 %")
    axes.legend(loc="upper left")
