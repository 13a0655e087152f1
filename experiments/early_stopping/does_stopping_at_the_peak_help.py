"""Does stopping at the best validation accuracy give a better model?

000:15-27 counts early stopping among the regularisers and says "stop at the highest val perf.";
001:65 calls it a way to detect over-fitting; 002:948 says that after the stop one trains again, or
uses the best model before it. A ReLU net learns images with a share of random labels; each seed
draws its own and holds 30 % back, with labels as noisy, to validate. F-007: the curves. C-058: the
test error (right labels) at the run's best validation must be lower than at its end (0.5 point
matters). C-060: a rule with the patience 10 stops the run; the test error of the best model before
the stop, or of one that is trained on all images for as many epochs, must be lower than that of the
last model, the one at the stop. Against the model at the end of all epochs it is printed besides.

Command: python -m experiments --only does_stopping_at_the_peak_help        (CPU, about 90 s)
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.early_stopping import _runs as runs
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    band,
    data_name,
    exists,
    figure,
    interval,
    paired,
)
from jaxtricks import control, models

FIGURES = ("F-007",)
CLAIMS = ("C-058", "C-060")
TIER = 2

PATIENCE = 10
FALL = 1.0  # points of validation accuracy
SETTINGS = {
    "rule": "momentum 0.9 at a constant rate",
    "validation": "error of the images held back, whose labels are as noisy; the first of equals",
    "patience": PATIENCE,
    "fall": FALL,
    "fit": "99.5 % of the noisy training images learned at the end, gap 5 times the effect",
    "last model": "at the stop",
}
PLANS = {
    "C-058": Plan(effects={"points": 0.5}, gates=("fit", "fall"), settings=SETTINGS),
    "C-060": Plan(effects={"points": 0.5}, gates=("fit", "peak"), settings=SETTINGS),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: images of a seed, drawn from `pool`, of which `held_back` validate; `noise`: share
    of random labels among them."""

    data_set: str = "mnist"
    pool: int = 20_000
    count: int = 1000
    held_back: int = 300
    noise: float = 0.2
    hidden: int = 128
    epochs: int = 200
    batch: int = 50
    rate: float = 0.01
    seed: int = 16_058
    seeds: int = 20


SMOKE = Config(data_set="digits", pool=800, count=200, held_back=60, hidden=8, epochs=4, seeds=3)
FULL = Config(hidden=512, epochs=400, seeds=100)


def run(config: Config) -> dict[str, Any]:
    """Curves `[seed, epoch]` of the part that trains and of all images, and the stops."""
    images = runs.read(config.data_set, pool=config.pool)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    net = models.MLP((config.hidden, 10))
    rule = control.early_stopping(PATIENCE, keep_best=False)
    options = {"epochs": config.epochs, "batch": config.batch}

    def one(key: jax.Array, trial: Any, pool: Any, test: Any) -> dict[str, Any]:
        set_key, init_key, run_key, again_key = jax.random.split(key, 4)
        fit, held_back = runs.draw(
            set_key, pool, config.count, config.held_back, noise=config.noise
        )
        ours = runs.trainer(net, trial["rate"], pool)
        first = lab.first_variables(net, init_key, pool)
        sets = {"train": fit, "validation": held_back, "test": test}
        found = runs.curves(ours, first, fit, sets, key=run_key, **options)
        every = runs.joined(fit, held_back)
        again = runs.curves(ours, first, every, {"test": test}, key=again_key, **options)
        stop = runs.stop(rule, found["validation error"])
        return {
            **{name: found[name] for name in ("train error", "validation error", "test error")},
            "norm": found["norm"],
            "retrained": again["test error"],
            **stop,
        }

    trials = {"rate": np.array([config.rate], np.float32)}
    found = lab.over(one, trials, keys, (images.pool, images.test))
    return {
        "data_set": images.name,
        "test": len(images.test["label"]),
        "count": config.count,
        "held_back": config.held_back,
        "noise": config.noise,
        "hidden": config.hidden,
        **{name: values[0] for name, values in found.items()},
    }


def errors(results: dict[str, Any]) -> dict[str, np.ndarray]:
    """Test errors in percent of each seed's models, and "norm": what the weights' norm grows by."""
    test, validation = results["test error"], results["validation error"]
    peak = 1 + np.argmin(validation, axis=1)
    return {
        "best of all epochs": runs.at(test, peak),
        "at the end": test[:, -1],
        "best before the stop": runs.at(test, results["best"]),
        "at the stop": runs.at(test, results["trained"]),
        "trained again": runs.at(results["retrained"], results["best"]),
        "norm": results["norm"][:, -1] / runs.at(results["norm"], peak),
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The best model against the end, and both ways on after a stop against the last model."""
    points = PLANS["C-058"].effects["points"]
    found = errors(results)
    validation = results["validation error"].mean(axis=0)
    peak, epochs = int(np.argmin(validation)), len(validation)
    fall = float(validation[-1] - validation[peak])
    fit = runs.overfits(
        results["train error"][:, -1].mean(), found["at the end"].mean(), least=5 * points
    )
    gates = [
        Gate(
            "fall",
            fall >= FALL,
            f"the mean validation accuracy falls by {fall:.2f} points after its peak, {FALL:g} "
            "demanded",
        ),
        Gate(
            "peak",
            2 * (1 + peak) <= epochs and results["trained"].max() < epochs,
            f"the mean validation accuracy is highest after epoch {1 + peak} of {epochs}, and the "
            f"rule stops all runs by epoch {results['trained'].max():.0f}",
        ),
    ]
    scope = (
        f"{data_name(results['data_set'])}, {results['count']:.0f} images a seed of 14 x 14 pixels "
        f"(digits 8 x 8), {results['held_back']:.0f} of them to validate, "
        f"{100 * results['noise']:.0f} % random labels, {results['test']:.0f} test images, one "
        f"hidden layer of {results['hidden']:.0f} ReLUs, momentum 0.9 at a constant rate, "
        f"{epochs} epochs, float32"
    )
    ways = {
        "best before the stop": "of the best model",
        "trained again": "of a model trained again",
    }
    parts = {
        last: [
            paired(
                f"test error {words} minus that of the model {last}, points",
                found[way] - found[last],
                effect=points,
                claimed="down",
                panel="c",
            )
            for way, words in ways.items()
        ]
        for last in ("at the stop", "at the end")
    }
    best = paired(
        "test error at the best validation minus at the end, points",
        found["best of all epochs"] - found["at the end"],
        effect=points,
        claimed="down",
        panel="c",
    )
    beside = [
        f"the norm of the weights grows {found['norm'].mean():.2f}-fold from there to the end"
    ]
    return [
        all_of("C-058", [best], scope=scope, gates=[fit, gates[0]], beside=beside),
        exists(
            "C-060",
            parts["at the stop"],
            scope=scope,
            gates=[fit, gates[1]],
            beside=[part.measured for part in parts["at the end"]],
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Mean curves, those of one seed with its stop, and the test errors of the models."""
    fig, (mean, one, models_of) = figure(1, 3, width=5.2, height=4.8)
    rows = {"training": "train error", "validation": "validation error", "test": "test error"}
    for number, (label, name) in enumerate(rows.items()):
        accuracy = 100 - results[name]
        centre, low, high = np.array([interval(column) for column in accuracy.T]).T
        epochs = 1 + np.arange(len(centre))
        band(mean, epochs, centre, low, high, color=COLOURS[number], label=label)
        one.plot(epochs, accuracy[0], color=COLOURS[number])
    seeds = len(results["best"])
    for axes, best, trained in (
        (mean, results["best"].mean(), results["trained"].mean()),
        (one, results["best"][0], results["trained"][0]),
    ):
        axes.axvline(best, color="black", ls="--", lw=1.2, label="best model")
        axes.axvline(trained, color="black", ls=":", lw=1.2, label=f"stop, patience {PATIENCE}")
        axes.set(xlabel="epoch", ylabel="accuracy / %")
        axes.set_xscale("log")
        axes.set_xticks(ticks := [1, 10, 100], map(str, ticks))
    one.sharey(mean)
    mean.legend(loc="lower right")
    mean.set_title(f"{data_name(results['data_set'])}, mean and 95 % of {seeds} seeds")
    one.set_title("The first seed")
    draw_errors(models_of, errors(results))
    return fig


def draw_errors(axes: Axes, found: dict[str, np.ndarray]) -> None:
    """A seed's models as a line, means with intervals above them."""
    shown = {
        "at the end": "end of\nall epochs",
        "at the stop": "last, at\nthe stop",
        "best before the stop": "best before\nthe stop",
        "trained again": "trained\nagain",
        "best of all epochs": "best of all\nepochs",
    }
    values = np.array([found[name] for name in shown])
    axes.plot(values, color="0.8", lw=0.8, zorder=0)
    for place, row in enumerate(values):
        centre, low, high = interval(row)
        bars = [[centre - low], [high - centre]]
        axes.errorbar(place, centre, bars, fmt="o", capsize=4, color="black")
    axes.set_xticks(range(len(shown)), shown.values(), fontsize=9)
    axes.set(ylabel="test error / %")
    axes.set_title("Models of the same runs; a line is a seed")
