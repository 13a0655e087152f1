"""Which learning rates do the notes mean, and for which optimizer?

The notes print a learning rate in five places and say once for which optimizer: 0.1 down to 1e-4
(001:34; 002:994), 1e-5 to 1e-3 (002:1030, though it says that this is the range just found;
004:190), and 1e-3 or 5e-4 for Adam (002:480). E-35: the optimizer has to be stated. Gradient
descent, momentum 0.9 and Adam train a ReLU network on 4,000 images of MNIST averaged to 14 x 14, at
15 constant rates from 1e-6 to 10. Which rate ends with the least validation loss, and what is lost
by the best rate of a printed range? Confirmed if gradient descent's best rate is ten or more times
Adam's, and the range 1e-5 to 1e-3 costs gradient descent over 12 % of the loss, and Adam less.

Command: python -m experiments --only which_rates_do_the_notes_mean      (CPU, about 4 min)
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    Verdict,
    band,
    data_name,
    demonstration,
    figure,
    finish,
    interval,
    method,
)
from jaxtricks import models, optimizers, training

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-35",)
TIER = 2
RULES = {
    "gradient descent": optimizers.gradient_descent,
    "momentum": optimizers.momentum,
    "adam": optimizers.adam,
}
RANGES = {  # as printed
    "001:34; 002:994": (1e-4, 1e-1),
    "002:1030; 004:190": (1e-5, 1e-3),
    "002:480, for Adam": (5e-4, 1e-3),
}
NO_OPTIMIZER = "002:1030; 004:190"  # the range that is judged
APART = 10.0  # times Adam's rate
COSTLY = 1.12  # times the least loss
LEAST, MOST = 1e-6, 10.0


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: images to train with; `per_decade`: rates of a decade."""

    data_set: str = "mnist"
    pool: int = 20_000
    count: int = 4000
    validation: int = 2000
    hidden: int = 100
    epochs: int = 20
    batch: int = 32
    per_decade: int = 2
    seed: int = 35
    seeds: int = 10


SMOKE = Config(
    data_set="digits", pool=800, count=200, validation=200, epochs=2, per_decade=1, seeds=2
)
FULL = Config()


def run(config: Config, trials: Path) -> dict[str, Any]:
    """Validation losses `[rate, seed]` of each rule after the last update."""
    images = lab.read(
        config.data_set, pool=config.pool, validation=config.validation, test=config.validation
    )
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    decades = round(np.log10(MOST / LEAST))
    rates = np.geomspace(LEAST, MOST, decades * config.per_decade + 1)
    net = models.MLP((config.hidden, 10))
    options = {"epochs": config.epochs, "batch": config.batch}

    def losses(name: str) -> dict[str, Any]:
        def learn(key: jax.Array, trial: Any, pool: Any, validation: Any) -> jax.Array:
            set_key, init_key, run_key = jax.random.split(key, 3)
            fit = lab.subset(set_key, pool, config.count)
            rule = RULES[name](trial["rate"])
            loss = training.classification_loss(net)
            ours = training.trainer(loss, rule, diagnostics=False)
            start = lab.first_variables(net, init_key, fit)
            state, _ = lab.train(ours, start, fit, key=run_key, **options)
            return lab.measure(ours, ours.variables(state), validation)["loss"]

        shared = (images.pool, images.validation)
        return {"losses": lab.over(learn, {"rate": np.float32(rates)}, keys, shared)}

    found = finish(trials, {name: name for name in RULES}, losses)
    return {
        "data_set": images.name,
        "count": config.count,
        "updates": config.epochs * (config.count // config.batch),
        "rates": rates,
        "losses": {name: found[name]["losses"] for name in RULES},
    }


def best_rate(results: dict[str, Any], rule: str, *, among: Any = (LEAST, MOST)) -> int:
    """The place of the rate with the least mean loss, of those in a range, ends included."""
    rates, losses = np.asarray(results["rates"]), np.asarray(results["losses"][rule])
    low, high = among
    inside = (rates > low / 1.001) & (rates < high * 1.001)
    return int(np.argmin(np.where(inside, losses.mean(axis=1), np.inf)))


def cost(results: dict[str, Any], rule: str, among: Any) -> np.ndarray:
    """Of each seed, its loss at the best rate of the range over that at the rule's best rate."""
    losses = np.asarray(results["losses"][rule])
    return losses[best_rate(results, rule, among=among)] / losses[best_rate(results, rule)]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if the best rates of gradient descent and Adam are a decade or more apart, and the
    range 1e-5 to 1e-3 suits Adam and not gradient descent, by the seeds' geometric means."""
    best = {rule: float(results["rates"][best_rate(results, rule)]) for rule in RULES}
    ends = RANGES[NO_OPTIMIZER]
    lost = {rule: float(np.exp(np.mean(np.log(cost(results, rule, ends))))) for rule in RULES}
    rates = ", ".join(f"{rate:.1e} ({rule})" for rule, rate in best.items())
    times = ", ".join(f"{ratio:.2f}" for ratio in lost.values())
    return [
        demonstration(
            "E-35",
            best["gradient descent"] * 1.001 > APART * best["adam"]
            and lost["gradient descent"] > COSTLY > lost["adam"],
            f"best rates: {rates}; by the best one of {ends[0]:g} to {ends[1]:g} these end at "
            f"{times} times their least loss",
            panel="a and b",
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The loss by rate with the printed ranges below, and what each range costs each rule."""
    fig, (losses, costs) = figure(1, 2, width=6.4, height=4.8)
    for rule in RULES:
        rows = 10 ** np.array([interval(np.log10(row)) for row in results["losses"][rule]])
        band(losses, results["rates"], *rows.T, **method(rule))
    count, seeds = results["count"], np.shape(results["losses"]["adam"])[1]
    data = (
        f"{data_name(results['data_set'])}, {count:,.0f} images, {results['updates']:,.0f} updates"
    )
    losses.set(xscale="log", yscale="log", xlabel="learning rate", title=data)
    losses.set_ylabel("validation loss at the end / nats")
    losses.set_ylim(0.02, 10)
    for number, (name, ends) in enumerate(RANGES.items()):
        height = 0.07 / 1.5**number
        losses.plot(ends, (height, height), "|-", color="black", lw=2, ms=8)
        losses.text(1.2 * ends[1], height, name, va="center", fontsize=9.5)
    losses.legend(loc="upper left")
    draw_costs(costs, results, seeds)
    return fig


def draw_costs(axes: Axes, results: dict[str, Any], seeds: int) -> None:
    """How many times its least loss a rule has at the best rate of a printed range."""
    for number, rule in enumerate(RULES):
        logs = [interval(np.log10(cost(results, rule, ends))) for ends in RANGES.values()]
        middle, low, high = 10 ** np.array(logs).T
        look = method(rule)
        axes.errorbar(
            np.arange(len(RANGES)) + 0.2 * (number - 1),
            middle,
            [middle - low, high - middle],
            fmt="osX"[number],
            color=look["color"],
            label=rule,
            capsize=4,
        )
    axes.axhline(1, color="black", lw=0.8)
    axes.set_xticks(range(len(RANGES)), [name.replace("; ", "\n") for name in RANGES])
    axes.set(yscale="log", ylabel="loss over the least loss of the rule")
    for level in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        level("{x:g}")
    axes.set_title(f"best rate of each range, mean and 95 % of {seeds} seeds")
    axes.legend()
