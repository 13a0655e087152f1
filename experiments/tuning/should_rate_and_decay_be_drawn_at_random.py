"""Should learning rate and decay be drawn at random, as powers of ten?

002:1002 and 1030 draw both at random, `10**np.random.uniform(low, high)`. Against this stand a grid
(most of its points on the rate, which matters most: that favours the grid) and draws that are
uniform between the same ends without the power. A third hyper-parameter is idle: the run ignores
it. Each seed shifts the ends by up to half a decade, so that no arm profits from where a grid
happens to lie, and draws 4,000 images of MNIST for a network of 100 hidden rectifiers; a trial has
5 epochs. C-147: of 10, 30 and 100 trials the one with the least validation error must have the
lower test error (0.3 point matters) if it was drawn as a power of ten. Beside: Sobol's points,
successive halving with as many epochs, and optuna's TPE. F-080: the points of both layouts.

Command: python -m experiments --only should_rate_and_decay_be_drawn_at_random
(CPU, about 20 minutes)
"""

import dataclasses
import importlib.util
import math
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    band,
    data_name,
    figure,
    finish,
    interval,
    paired,
)
from experiments.tuning import _searches as searches
from jaxtricks import tuning

FIGURES = ("F-080",)
CLAIMS = ("C-147",)
TIER = 2

POWERS, GRID, LINEAR = "random powers of ten", "grid", "random, no powers"
SOBOL, HALVING, TPE = "Sobol", "successive halving", "TPE"
COLOUR = dict(zip((POWERS, GRID, LINEAR, SOBOL, HALVING, TPE), COLOURS, strict=False))
PLANS = {
    "C-147": Plan(
        effects={"points": 0.3},
        gates=("one idle axis", "equal budgets", "floor"),
        settings={
            **searches.SETTINGS,
            "shift": "each interval by its own uniform draw of half a decade to each side",
            "idle": "from 0 to 1",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`grids`: values of rate, decay and idle one, of as many trials as the other arms have;
    `halving`: trials that are ended at `rungs` and take as many epochs as the largest grid."""

    data_set: str = "mnist"
    pool: int = 40_000
    validation: int = 2000
    test: int = 10_000
    count: int = 4000
    hidden: int = 100
    batch: int = 64
    epochs: int = 5
    grids: tuple[tuple[int, int, int], ...] = ((5, 2, 1), (5, 3, 2), (5, 5, 4))
    halving: int = 298
    rungs: tuple[int, ...] = (1, 2, 5)
    shift: float = 0.5
    seed: int = 147
    seeds: int = 20


SMOKE = Config(
    data_set="digits",
    pool=800,
    validation=200,
    test=200,
    count=200,
    hidden=8,
    epochs=1,
    grids=((2, 2, 2),),
    halving=8,
    rungs=(1,),
    seeds=2,
)
FULL = Config()


def run(config: Config, trials: Path) -> dict[str, Any]:
    """Test errors of the best of so many trials, for every arm and seed."""
    images = lab.read(
        config.data_set, pool=config.pool, validation=config.validation, test=config.test
    )
    learn = searches.learner(images.pool, hidden=config.hidden, batch=config.batch)
    train = searches.for_epochs(learn, config.epochs)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    found = finish(
        trials,
        {f"seed {n}": [n, optuna_is_installed()] for n in range(config.seeds)},
        lambda setting: searched(config, images, (learn, train), keys[setting[0]]),
    )
    every = list(found.values())
    arms = ("best", "diverged", "halving epochs")
    return {
        "data_set": images.name,
        "count": config.count,
        "hidden": config.hidden,
        "epochs": config.epochs,
        "grids": np.array(config.grids),
        **searches.stacked([{name: one[name] for name in arms} for one in every]),
        "layouts": every[0]["layouts"],
    }


def optuna_is_installed() -> bool:
    return importlib.util.find_spec("optuna") is not None


def searched(
    config: Config, images: lab.Images, runs: tuple[searches.Run, searches.Run], key: jax.Array
) -> dict[str, Any]:
    """All arms of one seed: the test error of the best by the number of trials."""
    set_key, shift_key, key = jax.random.split(key, 3)
    sets, (learn, train) = searches.sets(set_key, images, config.count), runs
    space = shifted(shift_key, config.shift)
    counts = [math.prod(grid) for grid in config.grids]
    options = {"shared": sets, "by": "error", "progress": False, "chunk": counts[-1]}
    linear = {name: tuning.uniform(axis.low, axis.high) for name, axis in space.items()}
    arms = {
        POWERS: tuning.search(key, train, space, counts[-1], **options),
        LINEAR: tuning.search(key, train, linear, counts[-1], **options),
        SOBOL: tuning.search(key, train, space, tuning.sobol(key, space, counts[-1]), **options),
    }
    if optuna_is_installed():
        arms[TPE] = parzen_search(key, train, space, counts[-1], options)
    grids = [
        tuning.search(key, train, space, tuning.grid(space, points), **options)
        for points in (
            dict(zip(("rate", "decay", "idle"), grid, strict=True)) for grid in config.grids
        )
    ]
    halved = tuning.search(key, learn, space, config.halving, rungs=config.rungs, **options)
    return {
        "best": {
            **{name: best_so_far(found) for name, found in arms.items()},
            GRID: np.array([best_of(found) for found in grids]),
            HALVING: best_of(halved),
        },
        "diverged": {
            name: np.mean(found.table["error"] >= searches.DIVERGED)
            for name, found in {**arms, GRID: grids[-1]}.items()
        },
        "halving epochs": int(halved.table["epochs"].sum()),
        "layouts": {
            name: {axis: found.table[axis] for axis in space}
            for name, found in {GRID: grids[-1], POWERS: arms[POWERS]}.items()
        },
    }


def shifted(key: jax.Array, most: float) -> dict[str, Any]:
    """The space with its intervals moved by up to so many decades, and the idle axis."""
    moves = 10 ** jax.random.uniform(key, (len(searches.SPACE),), minval=-most, maxval=most)
    space: dict[str, Any] = {"idle": tuning.uniform(0.0, 1.0)}
    for (name, axis), move in zip(searches.SPACE.items(), moves.tolist(), strict=True):
        space[name] = tuning.log_uniform(move * axis.low, move * axis.high)
    return space


def parzen_search(
    key: jax.Array, run: searches.Run, space: dict[str, Any], trials: int, options: dict[str, Any]
) -> tuning.Search:
    """One trial after another, each where optuna's tree-structured Parzen estimator wants it."""
    import optuna  # pyrefly: ignore[missing-import]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seed = int(jax.random.bits(key))
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    found = []
    for number in range(trials):
        trial = study.ask()
        wanted = {
            name: np.float32([trial.suggest_float(name, axis.low, axis.high, log=axis.logarithmic)])
            for name, axis in space.items()
        }
        one = tuning.search(jax.random.fold_in(key, number), run, space, wanted, **options)
        study.tell(trial, float(one.table["error"][0]))
        found.append(one)
    return jax.tree.map(lambda *values: np.concatenate(values), *found)


def best_of(found: tuning.Search) -> float:
    """Test error of the trial with the least validation error."""
    return float(found.table["test error"][tuning.best(found, by="error").trial])


def best_so_far(found: tuning.Search) -> np.ndarray:
    """`best_of` the first trial, the first two, and so on."""
    count = len(found.table["error"])
    return np.array([best_of(searches.first(found, trials)) for trials in range(1, count + 1)])


def at(results: dict[str, Any], name: str, grid: int) -> np.ndarray:
    """Test errors of an arm, one a seed, after as many trials as this grid has."""
    values = results["best"][name]
    if name in (GRID, HALVING):
        return values[:, grid] if name == GRID else values
    return values[:, int(np.prod(results["grids"][grid])) - 1]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Random powers of ten against the grid and against draws without powers."""
    effect, grids = PLANS["C-147"].effects["points"], results["grids"]
    parts = [
        paired(
            f"{np.prod(grids[number]):.0f} trials: test error by {name} minus that by {POWERS}, "
            "points",
            at(results, name, number) - at(results, POWERS, number),
            effect=effect,
            claimed="up",
            panel="d",
        )
        for name in (GRID, LINEAR)
        for number in range(len(grids))
    ]
    most = np.prod(grids[-1])
    layouts = ", ".join("x".join(f"{points:.0f}" for points in grid) for grid in grids)
    gates = [
        Gate("one idle axis", None, "every arm searches it and the run does not read it"),
        Gate("equal budgets", None, f"grids of {layouts} (rate, decay, idle), and as many draws"),
        searches.reaches(results["data_set"], at(results, POWERS, -1)),
    ]
    beside = [
        f"points gained by {name} over {POWERS} with {most:.0f} trials: "
        "{:.2f} [{:.2f}, {:.2f}]".format(*interval(at(results, POWERS, -1) - at(results, name, -1)))
        for name in (SOBOL, HALVING, TPE)
        if name in results["best"]
    ]
    beside += [f"{TPE}: not run, optuna is not installed"] * (TPE not in results["best"])
    shares = [f"{name} {100 * np.mean(share):.0f} %" for name, share in results["diverged"].items()]
    beside.append(f"diverged trials: {', '.join(shares)}")
    beside.append(f"epochs of successive halving: {np.mean(results['halving epochs']):.0f}")
    scope = (
        f"{data_name(results['data_set'])}, {results['count']:.0f} images a seed averaged to "
        f"14 x 14 (digits 8 x 8), {results['hidden']:.0f} hidden rectifiers, momentum 0.9 at a "
        f"constant rate, batch 64, {results['epochs']:.0f} epochs a trial, rates over 4 decades "
        "around 0.1 and decays over 5 around 3e-4, float32"
    )
    return [all_of("C-147", parts, gates=gates, scope=scope, beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """Both layouts, the best of n trials, and what powers of ten gain."""
    fig, axes = figure(2, 2, width=6.0, height=4.6)
    for panel, name in zip(axes, (GRID, POWERS), strict=False):
        layout(panel, results["layouts"][name], COLOUR[name])
        panel.set_title(f"{name}: {len(results['layouts'][name]['rate'])} trials of one seed")
    counts = [int(np.prod(grid)) for grid in results["grids"]]
    seeds = len(results["best"][GRID])
    for name, values in results["best"].items():
        style = {"color": COLOUR[name], "label": name}
        if name in (GRID, HALVING):
            x = counts if name == GRID else counts[-1:]
            mean, low, high = ends(values.reshape(seeds, -1))
            error = (mean - low, high - mean)
            axes[2].errorbar(x, mean, error, fmt="s" if name == GRID else "D", capsize=4, **style)
        elif name in (POWERS, LINEAR):
            band(axes[2], np.arange(1, counts[-1] + 1), *ends(values), **style)
        else:
            axes[2].plot(np.arange(1, counts[-1] + 1), values.mean(axis=0), lw=1.2, **style)
    axes[2].set(xscale="log", yscale="log", xlabel="trials", ylabel="test error of the best / %")
    axes[2].set_title(f"mean of {seeds} seeds; bands and bars 95 %")
    axes[2].legend(loc="best", fontsize=9)
    for name in (GRID, LINEAR):
        rows = [at(results, name, i) - at(results, POWERS, i) for i in range(len(counts))]
        mean, low, high = ends(np.array(rows).T)
        shift = 0.94 if name == GRID else 1.06
        style = {"color": COLOUR[name], "label": name, "fmt": "s" if name == GRID else "o"}
        axes[3].errorbar(
            shift * np.array(counts), mean, (mean - low, high - mean), capsize=4, **style
        )
    effect = PLANS["C-147"].effects["points"]
    axes[3].axhspan(-effect, effect, color="0.88", lw=0, label=f"{effect:g} point to each side")
    axes[3].axhline(0, color="black", lw=0.8)
    axes[3].set_xscale("log")
    axes[3].set_yscale("symlog", linthresh=1.0)
    axes[3].set_xticks(counts, counts)
    axes[3].minorticks_off()
    axes[3].set(xlabel="trials", ylabel="points gained by powers of ten")
    axes[3].set_title(f"gain over both: mean and 95 % of {seeds} seeds")
    axes[3].legend(loc="best", fontsize=9)
    return fig


def ends(values: np.ndarray) -> np.ndarray:
    """Mean and ends of the interval of each column."""
    return np.array([interval(column) for column in values.T]).T


def layout(axes: Axes, trials: dict[str, np.ndarray], colour: str) -> None:
    """Trials by rate and decay, their distinct values marked along both axes."""
    rate, decay = (np.asarray(trials[name]) for name in ("rate", "decay"))
    axes.loglog(rate, decay, "o", color=colour, ms=4)
    axes.plot(
        rate,
        np.full(len(rate), 0.015),
        "|",
        color=colour,
        ms=9,
        transform=axes.get_xaxis_transform(),
    )
    axes.plot(
        np.full(len(decay), 0.015),
        decay,
        "_",
        color=colour,
        ms=9,
        transform=axes.get_yaxis_transform(),
    )
    distinct = [len(np.unique(values)) for values in (rate, decay)]
    axes.set(xlabel=f"learning rate, {distinct[0]} values", ylabel=f"decay, {distinct[1]} values")
