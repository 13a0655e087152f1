"""How long must the validation accuracy decline before its peak counts as reached?

001:70 says that after a sustained decline the highest point counts as reached; 002:947 stops as
soon as the accuracy does not rise any more. Six fully connected nets learn MNIST and CIFAR-10 from
700 images each with a share of random labels, drawn anew by each seed, and are looked at after
every epoch on 300 more, whose labels are as noisy. Rules are replayed on these runs, and keep the
best model before they stop. C-059: with the patience 3, 5 or 10 (epochs that may pass without a new
best), the test error (right labels) of that model must be within 0.3 point of the lowest of the
run, the oracle's, in most of the 12 settings. E-46: 0, the other reading, must lose more than these
three. An oracle that chooses by one half of the test images and is measured on the other has no
luck in its error; what is lost to it is printed. So are Prechelt's criteria on the losses, against
patience on the loss at as many epochs.

Command: python -m experiments --only how_long_must_a_decline_last         (CPU, about 7 min)
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.early_stopping import _rules as rules
from experiments.early_stopping import _runs as runs
from experiments.engine import (
    COLOURS,
    Estimate,
    Part,
    Plan,
    Verdict,
    all_of,
    band,
    data_name,
    exists,
    figure,
    finish,
    interval,
    mean,
    not_run,
    paired,
    usually,
)
from jaxtricks import models

CLAIMS = ("C-059",)
ERRATA = ("E-46",)
TIER = 3

JUDGED = (3, 5, 10)
NETS: dict[str, Callable[[int], nn.Module]] = {
    "a ReLU layer": lambda wide: models.MLP((wide, 10)),
    "a ReLU layer, 4 times as wide": lambda wide: models.MLP((4 * wide, 10)),
    "two ReLU layers": lambda wide: models.MLP((wide, wide, 10)),
    "a tanh layer": lambda wide: models.MLP((wide, 10), activation=nn.tanh),
    "four tanh layers": lambda wide: models.MLP((*[wide] * 4, 10), activation=nn.tanh),
    "two ReLU layers, batch norm": lambda wide: models.MLP(
        (wide, wide, 10), block=models.batch_norm_block
    ),
}
SHRINK = {"mnist": 1, "cifar10": 2}  # to 14 x 14 and to 8 x 8 pixels
PLANS = {
    "C-059": Plan(
        effects={"points": 0.3},
        gates=("fit",),
        settings={
            "patience": JUDGED,
            "nets": tuple(NETS),
            "shrink": SHRINK,
            "rule": "momentum 0.9 at a constant rate",
            "monitored": "validation error of noisy labels; the first of equals is the best",
            "oracle": "the lowest test error of the run's epochs",
            "fit": "in every setting 99.5 % of the training images, gap 5 times the effect",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: images of a seed, drawn from `pool`, of which `held_back` validate; `noise`: share
    of random labels among them; `wide`: units of most layers."""

    data_sets: tuple[str, ...] = tuple(SHRINK)
    pool: int = 20_000
    count: int = 1000
    held_back: int = 300
    noise: float = 0.2
    wide: int = 64
    epochs: int = 150
    batch: int = 50
    rate: float = 0.01
    seed: int = 16_059
    seeds: int = 20


SMOKE = Config(pool=800, count=120, held_back=40, wide=4, epochs=2, seeds=2)
FULL = Config(wide=256, epochs=300, seeds=100)


def run(config: Config, trials: Path) -> dict[str, Any]:
    """What every rule does in every setting, `[rule, seed]`."""
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    images = {
        name: runs.read(name, pool=config.pool, shrink=SHRINK[name]) for name in config.data_sets
    }

    def tried(setting: dict[str, Any]) -> dict[str, Any]:
        some, program = images[setting["data"]], runner(NETS[setting["net"]](config.wide), config)
        rates = {"rate": np.array([config.rate], np.float32)}
        found = lab.over(program, rates, keys, (some.pool, some.test))
        curves = {name: values[0] for name, values in found.items()}
        first, second = curves["first error"], curves["second error"]
        return {
            "train error": curves["train error"][:, -1],
            "test error": (first[:, -1] + second[:, -1]) / 2,
            **{
                family: {"trained": stop["trained"], **rules.lost(first, second, stop["best"])}
                for family, stop in jax.device_get(rules.replay(curves)).items()
            },
        }

    settings = {
        f"{data}: {net}": {"data": data, "net": net} for data in config.data_sets for net in NETS
    }
    found = [some.name for some in images.values()]
    return {
        "data_set": found[0],
        "data_sets": found,
        "count": config.count,
        "held_back": config.held_back,
        "noise": config.noise,
        "wide": config.wide,
        "epochs": config.epochs,
        "settings": finish(trials, settings, tried),
    }


def runner(net: nn.Module, config: Config) -> Callable[..., dict[str, jax.Array]]:
    """Makes `run(key, trial, pool, test)`: curves of training, validation and both test halves."""

    def one(key: jax.Array, trial: Any, pool: Any, test: Any) -> dict[str, jax.Array]:
        set_key, init_key, run_key = jax.random.split(key, 3)
        fit, held_back = runs.draw(
            set_key, pool, config.count, config.held_back, noise=config.noise
        )
        half = len(test["label"]) // 2
        sets = {
            "train": fit,
            "validation": held_back,
            "first": runs.cut(test, slice(half)),
            "second": runs.cut(test, slice(half, None)),
        }
        ours = runs.trainer(net, trial["rate"], pool)
        first = lab.first_variables(net, init_key, pool)
        options = {"epochs": config.epochs, "batch": config.batch}
        return runs.curves(ours, first, fit, sets, key=run_key, **options)

    return one


def judge(results: dict[str, Any]) -> list[Verdict]:
    """What patience loses to the oracle in each setting, and what none loses to patience."""
    effect, settings = PLANS["C-059"].effects["points"], list(results["settings"].values())
    if len(set(results["data_sets"])) < len(results["data_sets"]):
        reason = f"its settings need different data, and only {results['data_set']} was found"
        return [not_run("C-059", reason), not_run("E-46", reason)]
    fit = runs.overfits(
        np.array([some["train error"].mean() for some in settings]),
        np.array([some["test error"].mean() for some in settings]),
        least=5 * effect,
    )
    scope = (
        f"{' (14 x 14 pixels) and '.join(map(data_name, results['data_sets']))} (8 x 8 pixels), "
        f"{results['count']:.0f} images a seed, {results['held_back']:.0f} of them to validate, "
        f"{100 * results['noise']:.0f} % random labels, 10,000 test images, six fully connected "
        f"nets of layers of {results['wide']:.0f} units, momentum 0.9 at a constant rate, "
        f"{results['epochs']:.0f} epochs, float32"
    )
    means = per_setting(results, rules.ERROR, "lost")
    later = [
        paired(
            f"test error lost by patience 0 minus that lost by {most}, points, means of settings",
            means[row(0)] - means[row(most)],
            effect=effect,
            claimed="up",
            panel="a",
        )
        for most in JUDGED
    ]
    return [
        exists(
            "C-059",
            [loses(results, "lost", most, effect) for most in JUDGED],
            scope=scope,
            gates=[fit],
            beside=[*others(results, effect), *criteria(results)],
        ),
        all_of("E-46", later, scope=scope),
    ]


def row(patience: float) -> int:
    """Where a patience stands."""
    return rules.PATIENCE.index(patience)


def each(results: dict[str, Any], what: str, patience: float) -> list[Estimate]:
    """What patience on the error loses in each setting."""
    found = [some[rules.ERROR][what][row(patience)] for some in results["settings"].values()]
    return [mean(values) for values in found]


def loses(results: dict[str, Any], what: str, patience: float, effect: float) -> Part:
    """Whether patience loses too little to matter in most settings."""
    return usually(
        f"a test error {what} with patience {patience}, points,",
        each(results, what, patience),
        effect=effect,
        claimed="down",
        panel="b",
    )


def per_setting(results: dict[str, Any], family: str, what: str) -> np.ndarray:
    """Means over the seeds `[rule, setting]`."""
    found = [some[family][what].mean(axis=1) for some in results["settings"].values()]
    return np.stack(found, axis=1)


def others(results: dict[str, Any], effect: float) -> list[str]:
    """Patience 0, and all judged again by the oracle that is measured on other images."""
    parts = [loses(results, "lost", 0, effect)]
    parts += [loses(results, "lost to a fresh oracle", most, effect) for most in (0, *JUDGED)]
    return [f"{part.measured}, {part.outcome}" for part in parts]


def criteria(results: dict[str, Any]) -> list[str]:
    """Prechelt's criteria: epochs, points lost, and the difference to patience at as many."""
    lines = []
    for family, (_, numbers, _) in rules.CRITERIA.items():
        trained, lost = (per_setting(results, family, w).mean(axis=1) for w in ("trained", "lost"))
        more = [rules.at_equal_cost(some, family) for some in results["settings"].values()]
        for number, cost, points, values in zip(
            numbers, trained, lost, np.stack(more, 1), strict=True
        ):
            centre, low, high = interval(values)
            lines.append(
                f"{family} {number:g} trains {cost:.1f} epochs and loses {points:.2f} points, "
                f"{centre:.2f} [{low:.2f}, {high:.2f}] more than patience on the loss at equal cost"
            )
    return lines


def draw(results: dict[str, Any]) -> Figure:
    """What is lost against the patience, in how many settings, and against the epochs trained."""
    fig, (lost, counts, cost) = figure(1, 3, width=5.2, height=4.8)
    effect, places = PLANS["C-059"].effects["points"], np.arange(len(rules.PATIENCE))
    rows = per_setting(results, rules.ERROR, "lost")
    parts = np.split(rows, len(results["data_sets"]), axis=1)
    for number, (data, lines) in enumerate(zip(results["data_sets"], parts, strict=True)):
        lost.plot(places, lines, color=COLOURS[number], lw=0.9, alpha=0.8)
        lost.plot([], [], color=COLOURS[number], lw=0.9, label=f"{data_name(data)}, a net")
    centre, low, high = np.array([interval(values) for values in rows]).T
    band(lost, places, centre, low, high, color="black", marker="o", label="mean, 95 %")
    lost.axhline(effect, color="grey", ls="--", lw=1, label=f"{effect:g} point")
    lost.set(ylabel="test error lost to the oracle / points", ylim=(0, None))
    lost.legend(loc="upper right")
    seeds = len(next(iter(results["settings"].values()))["train error"])
    lost.set_title(f"Stopping by the validation error, {seeds} seeds")
    draw_counts(counts, results, effect)
    draw_cost(cost, results)
    for axes in (lost, counts):
        axes.set_xticks(places, map(str, rules.PATIENCE))
        axes.set_xlabel("patience / epochs")
    return fig


def draw_counts(axes: Axes, results: dict[str, Any], effect: float) -> None:
    """Settings whose interval is under the effect, straddles it, or is over it."""
    found = [each(results, "lost", most) for most in rules.PATIENCE]
    under = np.array([sum(one.high < effect for one in some) for some in found])
    over = np.array([sum(one.low >= effect for one in some) for some in found])
    bars = {
        f"under {effect:g} point": (under, COLOURS[2]),
        "straddle it": (len(found[0]) - under - over, "0.8"),
        f"over {effect:g} point": (over, COLOURS[1]),
    }
    bottom = np.zeros(len(found))
    for label, (counts, colour) in bars.items():
        axes.bar(range(len(found)), counts, bottom=bottom, color=colour, label=label, width=0.7)
        bottom += counts
    axes.set_axisbelow(True)
    axes.set(ylabel="settings", ylim=(0, 1.35 * len(found[0])))
    axes.set_title("95 % interval of what is lost")
    axes.legend(loc="upper center", ncols=2)


def draw_cost(axes: Axes, results: dict[str, Any]) -> None:
    """Means over the settings of points lost against epochs trained, one point a rule."""
    for number, family in enumerate(rules.FAMILIES):
        points = [per_setting(results, family, w).mean(axis=1) for w in ("trained", "lost")]
        look = {"marker": "oosD^"[number], "color": COLOURS[number], "ms": 5}
        known = family in rules.CRITERIA
        label = f"Prechelt's {family}" if known else family
        axes.plot(*points, ls="" if known else "-", label=label, **look)
    axes.set(xlabel="epochs trained", ylabel="test error lost to the oracle / points")
    axes.set(xscale="log", ylim=(0, None))
    axes.set_xticks(ticks := [3, 10, 30, 100], map(str, ticks))
    axes.minorticks_off()
    axes.legend(loc="upper right")
    axes.set_title("At equal cost, mean of the settings")
