"""Do random pooling and DropConnect help where data are few?

002:940: on small data try random pooling (and 002:675 lists DropConnect). Two convolutions with
batch norm and pooling and a dense layer, on 1,000, 2,000 and 5,000 images of CIFAR-10 averaged to
16 x 16, drawn anew by each seed: with maxima over 2 x 2 pixels; with fractional pooling over random
overlapping regions, by the ratio 1.5; and with DropConnect at 0.5 in the dense layer. Eight rates
each, chosen by validation error on other seeds. C-086 says that one may try: at one size or more
one of the two must lower the test error (0.5 point matters; Holm over the six).

Command: python -m experiments --only do_random_pooling_and_dropconnect_help_small_data
(CPU, about two hours)
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from matplotlib.figure import Figure

from experiments import lab
from experiments.dropout import _runs as runs
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    band,
    data_name,
    exists,
    figure,
    finish,
    inside_grids,
    interval,
    paired,
)
from jaxtricks import models, normalization, regularizers, training

CLAIMS = ("C-086",)
TIER = 3

MAX, FRACTIONAL, DROPCONNECT = "max pooling", "fractional pooling", "DropConnect"
METHODS = (MAX, FRACTIONAL, DROPCONNECT)
PLANS = {
    "C-086": Plan(
        effects={"points": 0.5},
        gates=("fit", "nest", "edge"),
        settings={
            "methods": METHODS,
            "ratio": 1.5,
            "drop rate": 0.5,
            "choice": "by validation error on tuning seeds, resampled 200 times",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`counts`: training images of a seed; `features`: channels; `ratio`: of fractional pooling."""

    data_set: str = "cifar10"
    pool: int = 40_000
    validation: int = 2000
    test: int = 5000
    counts: tuple[int, ...] = (1000, 2000, 5000)
    features: tuple[int, ...] = (16, 32)
    units: int = 128
    ratio: float = 1.5
    drop: float = 0.5
    epochs: int = 30
    batch: int = 50
    rates: tuple[float, ...] = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
    seed: int = 76_086
    seeds: int = 10
    tuning_seeds: int = 3


SMOKE = Config(
    data_set="digits",
    pool=800,
    validation=200,
    test=200,
    counts=(100,),
    features=(2,),
    units=8,
    epochs=1,
    rates=(0.04, 0.08),
    seeds=2,
)
FULL = Config(features=(64, 128, 256), epochs=200, seeds=20)


def run(config: Config, trials: Path) -> dict[str, Any]:
    """What tuning found for every method at every size."""
    images = lab.read(
        config.data_set, pool=config.pool, validation=config.validation, test=config.test
    )
    keys = jax.random.split(jax.random.key(config.seed), config.seeds + config.tuning_seeds)
    judged, tuning = keys[: config.seeds], keys[config.seeds :]
    trial = {"rate": np.array(config.rates, np.float32)}

    def tuned(arm: dict[str, Any]) -> dict[str, Any]:
        program = learner(config, arm["method"], arm["count"])
        return lab.tune(program, trial, tuning=tuning, judged=judged, shared=images[:3])

    arms = {
        f"{count}, {method}": {"method": method, "count": count}
        for count in config.counts
        for method in METHODS
    }
    return {
        "data_set": images.name,
        "test": len(images.test["label"]),
        "counts": config.counts,
        "features": config.features,
        "epochs": config.epochs,
        "arms": finish(trials, arms, tuned),
    }


def network(config: Config, method: str) -> models.Sequential:
    """The network with one of the three methods."""
    layers: list[Any] = []
    for size in config.features:
        pool: Any = functools.partial(models.max_pool, size=2)
        if method == FRACTIONAL:
            pool = regularizers.FractionalMaxPool(config.ratio)
        convolution = models.Conv(size, (3, 3), use_bias=False)
        layers += [convolution, normalization.BatchNorm(), nn.relu, pool]
    dense: Any = nn.Dense(config.units)
    if method == DROPCONNECT:
        dense = regularizers.DropConnectDense(config.units, config.drop)
    return models.Sequential([*layers, models.flatten, dense, nn.relu, nn.Dense(10)])


def learner(config: Config, method: str, count: int) -> Callable[..., dict[str, jax.Array]]:
    """Makes the run of one network: errors on the three sets."""
    net = network(config, method)

    def run(key: jax.Array, trial: Any, pool: Any, validation: Any, test: Any) -> dict:
        set_key, init_key, run_key = jax.random.split(key, 3)
        fit = lab.subset(set_key, pool, count)
        steps = config.epochs * (count // config.batch)
        rule = lab.momentum_to_zero(trial["rate"], steps=steps)
        ours = training.trainer(training.classification_loss(net), rule, diagnostics=False)
        start = lab.first_variables(net, init_key, fit)
        options = {"epochs": config.epochs, "batch": config.batch}
        state, _ = lab.train(ours, start, fit, key=run_key, **options)
        sets = {"train": fit, "validation": validation, "test": test}
        return {
            f"{name} error": lab.measure(ours, ours.variables(state), some)["error"]
            for name, some in sets.items()
        }

    return run


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Each method against max pooling at each size."""
    arms = {name: lab.best(arm, name=name) for name, arm in results["arms"].items()}
    effect, counts = PLANS["C-086"].effects["points"], [f"{n:.0f}" for n in results["counts"]]
    parts = [
        paired(
            f"{count} images: test error with {method} minus that with max pooling, points",
            runs.difference(
                lambda some, plain: some["test error"] - plain["test error"],
                arms[f"{count}, {method}"],
                arms[f"{count}, {MAX}"],
            ),
            effect=effect,
            claimed="down",
            panel="b",
        )
        for method in METHODS[1:]
        for count in counts
    ]
    gates = [
        runs.every(
            "fit", [runs.overfits(arms[f"{count}, {MAX}"], least=5 * effect) for count in counts]
        ),
        Gate("nest", None, "chosen on other seeds and other images; the choice is resampled"),
        inside_grids(arms),
    ]
    scope = (
        f"{data_name(results['data_set'])}, {', '.join(counts)} training images a seed and "
        f"{results['test']:.0f} test images of 16 x 16 pixels (digits 8 x 8), convolutions of "
        f"{' and '.join(f'{n:.0f}' for n in results['features'])} channels with batch norm, "
        f"momentum 0.9, rate falling to 0, {results['epochs']:.0f} epochs, float32"
    )
    return [exists("C-086", parts, scope=scope, gates=gates)]


def draw(results: dict[str, Any]) -> Figure:
    """Test errors against the number of images, and what each method gains."""
    arms = {name: lab.best(arm, name=name) for name, arm in results["arms"].items()}
    counts = np.asarray(results["counts"])
    fig, (errors, gains) = figure(1, 2, width=5.6, height=4.6)
    for number, method in enumerate(METHODS):
        own = [arms[f"{count:.0f}, {method}"] for count in counts]
        rows = np.array([interval(arm.tested["test error"]) for arm in own])
        look = {"color": COLOURS[number], "marker": "os^"[number]}
        band(errors, counts, *rows.T, label=method, **look)
        if method == MAX:
            continue
        plain = [arms[f"{count:.0f}, {MAX}"] for count in counts]
        found = [
            runs.difference(lambda a, b: b["test error"] - a["test error"], arm, other)
            for arm, other in zip(own, plain, strict=True)
        ]
        ends = [[f.value - f.low for f in found], [f.high - f.value for f in found]]
        shift = 1 + 0.06 * (number - 1.5)
        look = {"color": COLOURS[number], "fmt": "os^"[number], "capsize": 4, "label": method}
        gains.errorbar(counts * shift, [f.value for f in found], ends, **look)
    effect = PLANS["C-086"].effects["points"]
    gains.axhspan(-effect, effect, color="0.88", lw=0, label=f"{effect:g} point to each side")
    gains.axhline(0, color="black", lw=0.8)
    for axes in (errors, gains):
        axes.set_xscale("log")
        axes.set_xticks(counts, [f"{count:.0f}" for count in counts])
        axes.minorticks_off()
        axes.set_xlabel("training images")
        axes.legend(loc="best")
    seeds = len(arms[f"{counts[0]:.0f}, {MAX}"].tested["test error"])
    errors.set_ylabel("test error / %")
    errors.set_title(f"{data_name(results['data_set'])}; mean and 95 % of {seeds} seeds")
    gains.set_ylabel("gain over max pooling / points")
    return fig
