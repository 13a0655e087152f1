"""Which statistics should batch norm use in the test?

The lecture has three: the average over training batches, its variance times N / (N - 1)
(002:80-88); the whole training set, "ideal" (004:514-515); and the moving average (004:517-522).
Two convolutions with batch norm, because a dense network does not reach 97 % with batches of 2, are
trained on 10,240 images of MNIST, drawn anew by each seed, with batches of 2 to 256. The last
weights are tested with each kind of statistics. C-110: at every size the whole set's must lose less
than 0.2 point of test error to the moving average, and to the training batches. The learning rate
is chosen on other seeds, by the mean validation error of the three kinds. E-38: averages over the
batches of the whole run mix in those of weights that are long gone. E-94: the mean over batches is
the whole set's only while the weights stand still (first layer).

Command: python -m experiments --only which_test_statistics_are_best       (CPU, about 50 min)
"""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Estimate,
    Gate,
    Plan,
    Verdict,
    all_of,
    band,
    choice_variance,
    converged,
    data_name,
    demonstration,
    figure,
    finish,
    inside_grids,
    interval,
    mean,
    paired,
    under,
)
from experiments.normalization import _statistics as statistics
from experiments.normalization._statistics import BATCHES, MOVING, RUN, STATISTICS, WHOLE

FIGURES = ("F-051",)
CLAIMS = ("C-110",)
ERRATA = ("E-38", "E-94")
TIER = 3

FLOOR = 3.0  # test error in percent, at most
ROUNDING = 1e-4  # of a deviation
PLANS = {
    "C-110": Plan(
        effects={"points": 0.2},
        gates=("conv", "frozen weights", "nest", "edge"),
        settings={
            "floor": FLOOR,
            "conv": "of the whole set's statistics at every batch size, which reach the floor too",
            "frozen weights": "means of the first layer over batches and over the whole set agree",
            "rounding": ROUNDING,
            "choice": "rate by the mean validation error of the three kinds, resampled 200 times",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`sizes`: of the batches, with their `epochs`; `count`: training images, a multiple of each.

    `rates` are those of batches of one; elsewhere they are in proportion to the root of the size.
    `decay`: of the moving average; `shown`: the size at which it is followed.
    """

    data_set: str = "mnist"
    count: int = 10_240
    validation: int = 5000
    test: int = 10_000
    features: tuple[int, ...] = (8, 16)
    decay: float = 0.99
    sizes: tuple[int, ...] = (2, 8, 32, 128, 256)
    epochs: tuple[int, ...] = (6, 8, 10, 14, 16)
    shown: int = 32
    rates: tuple[float, ...] = (0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032)
    seed: int = 28_110
    seeds: int = 20
    tuning_seeds: int = 5


SMOKE = Config(
    data_set="digits",
    count=64,
    features=(2, 2),
    sizes=(8,),
    epochs=(2,),
    shown=8,
    rates=(0.01, 0.02),
    seeds=2,
)
FULL = Config(count=40_960, features=(32, 64))


def run(config: Config, trials: Path) -> dict[str, Any]:
    """What tuning found at each size, twice the updates beside, and a unit's means over a run."""
    images = lab.read(config.data_set, pool=40_960, validation=config.validation, test=config.test)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds + config.tuning_seeds)
    judged, tuning = keys[: config.seeds], keys[config.seeds :]

    make = functools.partial(
        statistics.learner, config.features, decay=config.decay, count=config.count
    )

    def trained(place: int) -> dict[str, Any]:
        size, epochs = config.sizes[place], config.epochs[place]
        once, twice = (make(batch=size, epochs=times * epochs) for times in (1, 2))
        rates = {"rate": np.array(config.rates, np.float32) * np.float32(size**0.5)}
        tuned = lab.over(once, rates, tuning, images[:3])
        losses = np.asarray(tuned["validation error"], np.float64)
        arm = lab.tested(once, rates, losses, judged=judged, shared=images[:3])
        number = lab.best(arm).best
        best = {"rate": rates["rate"][[number]]}
        found = {
            "arm": arm,
            "epochs": epochs,
            "once": tuned[WHOLE][number],
            "twice": lab.over(twice, best, tuning, images[:3])[WHOLE][0],
        }
        if size == config.shown:
            paths = lab.over(make(batch=size, epochs=epochs, follow=True), best, judged, images[:3])
            found["means"] = np.round(paths["means"][0, 0], 4)  # of the first seed
            found |= {"whole": paths["whole"][0, 0], "gap": paths["gap"][0]}
        return found

    places = {f"batches of {size}": place for place, size in enumerate(config.sizes)}
    found = finish(trials, places, trained)
    return {
        "data_set": images.name,
        "images": config.count,
        "features": config.features,
        "decay": config.decay,
        "shown": config.shown,
        "sizes": {f"{size}": found[name] for size, name in zip(config.sizes, places, strict=True)},
    }


def more(found: dict[str, Any], one: str, other: str) -> Estimate:
    """Points of test error by which one kind of statistics is above another, at one size."""
    arm = lab.best(found["arm"])

    def points(tested: Any) -> np.ndarray:
        return tested[one] - tested[other]

    return mean(points(arm.tested), choice_variance=choice_variance(points, arm))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """What the whole set's statistics lose at every size, and the two errata."""
    effect, sizes = PLANS["C-110"].effects["points"], results["sizes"]
    parts = [
        under(
            f"batches of {size}: points of test error that the whole set loses to the {other}",
            more(found, WHOLE, other),
            effect,
            panel="d",
        )
        for size, found in sizes.items()
        for other in (MOVING, BATCHES)
    ]
    stale = [
        paired(
            f"batches of {size}: test error with {RUN} minus the whole set's, points",
            more(found, RUN, WHOLE),
            effect=effect,
            claimed="up",
            panel="d",
        )
        for size, found in sizes.items()
    ]
    channels = " and ".join(f"{size:.0f}" for size in results["features"])
    scope = (
        f"{data_name(results['data_set'])} ({results['images']:,.0f} training images of 14 x 14 "
        f"pixels, digits 8 x 8), convolutions of {channels} channels, moving average with decay "
        f"{results['decay']:g}, momentum 0.9, rate falling to 0, batches of {', '.join(sizes)}, "
        "float32"
    )
    frozen, moved = off(results, BATCHES), off(results, RUN)
    shown = frozen.max() < ROUNDING and moved.min() > 100 * ROUNDING
    text = (
        "the first layer's mean over batches is off the whole set's, in deviations, by "
        f"{frozen.max():.1g} at most at the last weights, by {moved.min():.2g} at least over the "
        "weights of the run"
    )
    return [
        all_of("C-110", parts, scope=scope, gates=gates(results), beside=told(results)),
        all_of("E-38", stale, scope=scope),
        demonstration("E-94", bool(shown), text),
    ]


def off(results: dict[str, Any], kind: str) -> np.ndarray:
    """How far the first layer's means are from the whole set's, in deviations, `[size, seed]`."""
    arms = [lab.best(found["arm"]) for found in results["sizes"].values()]
    return np.array([arm.tested[f"{kind} off"] for arm in arms])


def gates(results: dict[str, Any]) -> list[Gate]:
    """Runs are long enough, weights stand still, and no rate is at an end of its grid."""
    effect, conv = PLANS["C-110"].effects["points"], []
    for size, found in results["sizes"].items():
        gate = converged(found["once"], found["twice"], effect=effect)
        error = float(np.mean(lab.best(found["arm"]).tested[WHOLE]))
        text = f"batches of {size}: test error {error:.2f} %, {gate.text}"
        conv.append((gate.passed and error <= FLOOR, text))
    still = off(results, BATCHES).max()
    arms = {f"batches of {size}": lab.best(f["arm"]) for size, f in results["sizes"].items()}
    return [
        Gate("conv", all(passed for passed, _ in conv), "; ".join(text for _, text in conv)),
        Gate("frozen weights", still < ROUNDING, f"off by {still:.1g} of a deviation at most"),
        Gate("nest", None, "the rates are chosen on other seeds, and the choice resampled"),
        inside_grids(arms),
    ]


def told(results: dict[str, Any]) -> list[str]:
    """The rates and the test errors with each kind of statistics."""
    rows = []
    for size, found in results["sizes"].items():
        arm = lab.best(found["arm"])
        errors = [f"{kind} {np.mean(arm.tested[kind]):.2f} %" for kind in STATISTICS]
        rate = float(arm.trial["rate"])
        rows.append(f"batches of {size}, rate {rate:.2g}, test error: {', '.join(errors)}")
    return rows


def draw(results: dict[str, Any]) -> Figure:
    """A unit's means over a run, the distance of the moving averages, and the test errors."""
    fig, (path, gap, errors, others) = figure(2, 2, width=5.8, height=4.2)
    draw_path(path, gap, results)
    sizes = np.array([int(size) for size in results["sizes"]])
    first = results["sizes"][str(sizes[0])]
    for place, kind in enumerate(STATISTICS):
        look: dict[str, Any] = {"fmt": "os^D"[place], "capsize": 4, "color": COLOURS[place]}
        x = sizes * 1.12 ** (place - 1.5)
        found = [lab.best(found["arm"]).tested[kind] for found in results["sizes"].values()]
        rows = np.array([interval(values) for values in found])
        errors.errorbar(x, rows[:, 0], np.abs(rows[:, 1:].T - rows[:, 0]), label=kind, **look)
        if kind == WHOLE:
            continue
        for size, one in zip(x, results["sizes"].values(), strict=True):
            point = more(one, kind, WHOLE)
            ends = [[point.value - point.low], [point.high - point.value]]
            error = None if point.saturated else ends  # which has no interval
            label = kind if one is first else None
            others.errorbar(size, point.value, error, label=label, **look)
    effect = PLANS["C-110"].effects["points"]
    others.axhline(0, color="black", lw=0.8)
    others.axhline(-effect, color="black", lw=0.8, ls="--", label=f"{effect:g} point better")
    others.set(ylabel="test error minus the whole set's / points")
    errors.set(ylabel="test error / %")
    seeds = len(lab.best(first["arm"]).tested[WHOLE])
    for axes in (errors, others):
        axes.set(xscale="log", xlabel="batch size")
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.3 * (high - low))  # above them is room for the legend
        axes.legend(loc="upper right", ncols=2)
        axes.set_title(f"{data_name(results['data_set'])}; mean and 95 % of {seeds} seeds")
    return fig


def draw_path(path: Axes, gap: Axes, results: dict[str, Any]) -> None:
    """The means of one unit over the first seed's run, and how far all moving averages are off."""
    shown = int(results["shown"])
    found = results["sizes"][str(shown)]
    batch, moving = found["means"].T
    steps = np.arange(1, len(batch) + 1)
    path.plot(steps, batch, color="0.6", lw=0.5, label=f"batch of {shown}")
    path.plot(steps, moving, color=COLOURS[1], label=MOVING)
    marks = len(steps) // len(found["whole"]) * np.arange(1, len(found["whole"]) + 1)
    path.plot(marks, found["whole"], "o", color=COLOURS[0], label=WHOLE)
    path.set(xlabel="update", ylabel="mean of a unit of the last layer")
    path.set_title(f"{data_name(results['data_set'])}, the first seed")
    path.legend(loc="best")
    rows = np.array([interval(column) for column in found["gap"].T])
    band(gap, marks, *rows.T, color=COLOURS[1])
    gap.axhline(2, color="black", lw=0.8, ls="--", label="2 %")
    gap.set(xlabel="update", ylabel="distance of the moving average / %", ylim=(0, None))
    seeds = len(found["gap"])
    gap.set_title(f"Batches of {shown}, all units; mean and 95 % of {seeds} seeds")
    gap.legend(loc="upper right")
