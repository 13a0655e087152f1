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
(CPU, about 15 minutes)
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
    Estimate,
    Gate,
    Plan,
    Verdict,
    all_of,
    band,
    figure,
    finish,
    interval,
    mean,
    paired,
    ranked,
)
from experiments.tuning import _searches as searches
from jaxtricks import tuning

FIGURES = ("F-080",)
CLAIMS = ("C-147",)
TIER = 3

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
            LINEAR: "by signed ranks: most of its trials diverge, so that a winner may have",
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config(searches.Task):
    """`grids`: values of rate, decay and idle one, of as many trials as the other arms have;
    `halving`: trials that are ended at `rungs` and take as many epochs as the largest grid."""

    epochs: int = 5
    grids: tuple[tuple[int, int, int], ...] = ((5, 2, 1), (5, 3, 2), (5, 5, 4))
    halving: int = 298
    rungs: tuple[int, ...] = (1, 2, 5)
    shift: float = 0.5
    seed: int = 147
    seeds: int = 20


SMOKE = Config(
    **searches.SMOKE,
    epochs=1,
    grids=((2, 2, 2),),
    halving=8,
    rungs=(1,),
    seeds=6,
)
FULL = Config()


def run(config: Config, trials: Path) -> dict[str, Any]:
    """Test errors of the best of so many trials, for every arm and seed."""
    images, learn, task = searches.prepared(config)
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
        **task,
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
    set_key, shift_key, key, sobol_key, parzen_key = jax.random.split(key, 5)
    sets, (learn, train) = searches.sets(set_key, images, config.count), runs
    space = shifted(shift_key, config.shift)
    counts = [math.prod(grid) for grid in config.grids]
    options = {"shared": sets, "by": "error", "progress": False, "chunk": counts[-1]}
    linear = {name: tuning.uniform(axis.low, axis.high) for name, axis in space.items()}
    arms = {
        POWERS: tuning.search(key, train, space, counts[-1], **options),
        LINEAR: tuning.search(key, train, linear, counts[-1], **options),
        SOBOL: tuning.search(
            key, train, space, tuning.sobol(sobol_key, space, counts[-1]), **options
        ),
    }
    if optuna_is_installed():
        arms[TPE] = parzen_search(parzen_key, train, space, counts[-1], options)
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


def gain(results: dict[str, Any], name: str, grid: int) -> Estimate:
    """Points that powers of ten gain over another arm after as many trials as this grid has."""
    gained = at(results, name, grid) - at(results, POWERS, grid)
    return ranked(gained) if name == LINEAR else mean(gained)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Random powers of ten against the grid and against draws without powers."""
    effect, grids = PLANS["C-147"].effects["points"], results["grids"]
    parts = [
        paired(
            f"{np.prod(grids[number]):.0f} trials: test error by {name} minus that by {POWERS}, "
            "points",
            gain(results, name, number),
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
    searched = "rates over 4 decades around 0.1 and decays over 5 around 3e-4"
    scope = searches.scope(results, f"{results['epochs']:.0f} epochs a trial, {searched}")
    return [all_of("C-147", parts, gates=gates, scope=scope, beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """Both layouts, the best of n trials, and what powers of ten gain."""
    fig, axes = figure(2, 2, width=6.0, height=4.6)
    for panel, name in zip(axes, (GRID, POWERS), strict=False):
        layout(panel, results["layouts"][name], COLOUR[name])
        panel.set_title(f"{name}: {len(results['layouts'][name]['rate'])} trials of one seed")
    draw_best(axes[2], results)
    draw_gains(axes[3], results)
    return fig


def draw_best(axes: Axes, results: dict[str, Any]) -> None:
    """Test error of the best trial by the number of trials: geometric means and 95 %."""
    counts = [int(np.prod(grid)) for grid in results["grids"]]
    every = np.arange(1, counts[-1] + 1)
    for name in (name for name in COLOUR if name in results["best"]):
        values = np.asarray(results["best"][name])
        centre, low, high = 10 ** ends(np.log10(values.reshape(len(values), -1)))
        style = {"color": COLOUR[name], "label": name}
        if name in (POWERS, LINEAR):
            band(axes, every, centre, low, high, **style)
        elif name in (GRID, HALVING):
            x, marker = (counts, "s") if name == GRID else (counts[-1:], "D")
            axes.errorbar(x, centre, (centre - low, high - centre), fmt=marker, capsize=4, **style)
        else:
            axes.plot(every, centre, lw=1.2, **style)
    axes.set(xscale="log", yscale="log", xlabel="trials", ylabel="test error of the best / %")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.set_title(f"geometric mean of {len(results['best'][GRID])} seeds; 95 %")
    axes.legend(loc="best", fontsize=9)


def draw_gains(axes: Axes, results: dict[str, Any]) -> None:
    """What powers of ten gain over the grid and over draws without powers."""
    counts = np.array([np.prod(grid) for grid in results["grids"]])
    for name, shift, marker in ((GRID, 0.94, "s"), (LINEAR, 1.06, "o")):
        found = [gain(results, name, number) for number in range(len(counts))]
        spread = [[f.value - f.low for f in found], [f.high - f.value for f in found]]
        style = {"color": COLOUR[name], "label": name, "fmt": marker, "capsize": 4}
        axes.errorbar(shift * counts, [f.value for f in found], spread, **style)
    effect = PLANS["C-147"].effects["points"]
    axes.axhspan(-effect, effect, color="0.88", lw=0, label=f"{effect:g} point to each side")
    axes.axhline(0, color="black", lw=0.8)
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=1.0)
    axes.margins(y=0.1)
    axes.set_xticks(counts, [f"{count:.0f}" for count in counts])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set(xlabel="trials", ylabel="points gained by powers of ten")
    axes.set_title("gain over both: mean, median of no powers; 95 %")
    axes.legend(loc="best", fontsize=9)


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
