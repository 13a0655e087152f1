"""Does a coarse search of short runs find the region of good hyper-parameters?

002:1001-1043 draws 100 pairs of rate and decay, trains each for about 5 epochs, narrows the ranges
to the good ones, and draws 100 more, for about 20 epochs each. A network of 100 hidden rectifiers
learns 4,000 images of MNIST, drawn anew by every seed. F-078, F-079: both searches. F-082: the
curves of all trials. C-146: the validation errors of the coarse trials after 5 and, continued,
after 20 epochs must rank them alike (Spearman over 0.5); and the winner of coarse and fine search
must have the lower test error (0.3 point matters) than that of 500 coarse trials, which take as
many epochs. Both are trained again for 20 epochs, with fresh keys.

Command: python -m experiments --only does_a_coarse_search_find_the_region
(CPU, about 10 minutes)
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy import stats

from experiments import lab
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    figure,
    finish,
    interval,
    over,
    paired,
)
from experiments.tuning import _searches as searches
from jaxtricks import tuning

FIGURES = ("F-078", "F-079", "F-082")
CLAIMS = ("C-146",)
TIER = 3

COARSE, MANY, FINE = "coarse", "many coarse", "coarse and fine"
PERFECT = 0.999  # a rank correlation beyond counts as this one
PLANS = {
    "C-146": Plan(
        effects={
            "rank correlation": 0.5,
            "its Fisher z": float(np.arctanh(0.5)),
            "points": 0.3,
        },
        gates=("edge", "chosen on validation", "floor"),
        settings={**searches.SETTINGS, "edge": searches.AT_EDGE},
    )
}
PRINTED = {  # the notes' ranges of rate and decay (002:1030-1031, 1040-1041)
    COARSE: ((1e-5, 1e-3), (1e-4, 1e4)),
    FINE: ((1e-4, 1e-3), (1e-3, 1.0)),
}


@dataclasses.dataclass(frozen=True)
class Config(searches.Rounds):
    """`many`: coarse trials that take as many epochs as both searches."""

    many: int = 500
    seed: int = 146


SMOKE = Config(**searches.SMOKE_ROUNDS, many=16)
FULL = Config()


def run(config: Config, trials: Path) -> dict[str, Any]:
    """Ranks and winners of every seed, and both searches of the first."""
    images, learn, task = searches.prepared(config)
    runs = [searches.for_epochs(learn, epochs) for epochs in (config.short, config.long)]
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    found = finish(
        trials,
        {f"seed {number}": number for number in range(config.seeds)},
        lambda number: searched(config, images, runs, keys[number]),
    )
    every = list(found.values())
    return {
        **task,
        "epochs": [1, config.short, config.long],
        "trials": [config.trials, config.many],
        **searches.stacked([{key: one[key] for key in ("errors", "winners")} for one in every]),
        "shown": every[0]["shown"],
    }


def searched(
    config: Config, images: lab.Images, runs: list[searches.Run], key: jax.Array
) -> dict[str, Any]:
    """The searches of one seed: errors `[trial, epochs]` after 1, `short` and `long` epochs."""
    set_key, coarse_key, fine_key, fresh_key = jax.random.split(key, 4)
    sets, (short, long) = searches.sets(set_key, images, config.count), runs
    options = {"shared": sets, "by": "error", "progress": False, "chunk": config.trials}
    many = tuning.search(coarse_key, short, searches.SPACE, config.many, **options)
    coarse = searches.first(many, config.trials)
    continued = tuning.search(coarse_key, long, searches.SPACE, config.trials, **options)
    narrowed = tuning.narrow(searches.SPACE, coarse.table, config.keep, by="error")
    fine = tuning.search(fine_key, long, narrowed, config.trials, **options)
    keys = jax.random.split(fresh_key, config.fresh)
    return {
        "errors": continued.curves["error"][:, [0, config.short - 1, config.long - 1]],
        "winners": {
            name: searches.again(tuning.best(one, by="error"), long, keys, sets)
            for name, one in {COARSE: coarse, MANY: many, FINE: fine}.items()
        },
        "shown": {
            COARSE: {name: coarse.table[name] for name in ("rate", "decay", "error")},
            FINE: {name: fine.table[name] for name in ("rate", "decay", "error")},
            "narrowed": [(axis.low, axis.high) for axis in (narrowed["rate"], narrowed["decay"])],
            "curves": fine.curves["error"],
        },
    }


def rank_correlations(errors: np.ndarray, look: int) -> np.ndarray:
    """Spearman's, one a seed, between the errors at an early look and at the last one."""
    pairs = [(one[:, look], one[:, -1]) for one in errors]
    return np.array(
        [
            stats.spearmanr(*pair).statistic if np.all(np.ptp(pair, axis=1)) else 0.0
            for pair in pairs
        ]
    )


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Ranks after few epochs and after many, and the test errors of both winners."""
    effects, winners = PLANS["C-146"].effects, results["winners"]
    one, short, long = (f"{epochs:.0f}" for epochs in results["epochs"])
    trials, many = (f"{number:.0f}" for number in results["trials"])
    early, ranks = (rank_correlations(results["errors"], look) for look in (0, 1))
    parts = [
        over(
            f"Fisher's z of Spearman's correlation between the validation errors after {short} and "
            f"{long} epochs",
            np.arctanh(np.clip(ranks, -PERFECT, PERFECT)),
            effects["its Fisher z"],
            panel="e",
        ),
        paired(
            f"test error of the best of {many} coarse trials minus that of the best after a coarse "
            "and a fine search, points",
            winners[MANY]["test error"] - winners[FINE]["test error"],
            effect=effects["points"],
            claimed="up",
            panel="f",
        ),
    ]
    gates = [
        searches.inside(winners),
        Gate(
            "chosen on validation",
            None,
            "test images choose nothing, and winners are trained again with fresh keys",
        ),
        searches.reaches(results["data_set"], winners[FINE]["test error"]),
    ]
    diverged = 100 * np.mean(results["errors"] >= searches.DIVERGED, axis=(0, 1))
    gained = interval(winners[COARSE]["test error"] - winners[FINE]["test error"])
    beside = [
        f"Spearman after {short} epochs: {said(ranks)}; after {one}: {said(early)}",
        f"Spearman after {short} epochs among the {trials} trials' best quarter: "
        f"{said(rank_correlations(best_quarters(results['errors']), 1))}",
        f"diverged: {diverged[1]:.1f} % of the coarse trials after {short} epochs, "
        f"{diverged[2]:.1f} % after {long}",
        f"points gained over the {trials} coarse trials alone, with a fifth of the compute: "
        "{:.2f} [{:.2f}, {:.2f}]".format(*gained),
    ]
    budgets = f"{trials} trials of {short} and {trials} of {long} epochs against {many} of {short}"
    scope = searches.scope(results, budgets)
    return [all_of("C-146", parts, gates=gates, scope=scope, beside=beside)]


def best_quarters(errors: np.ndarray) -> np.ndarray:
    """Of every seed, the quarter of the trials with the least errors at the middle look."""
    quarter = max(2, errors.shape[1] // 4)
    return np.stack([one[np.argsort(one[:, 1], kind="stable")[:quarter]] for one in errors])


def said(correlations: np.ndarray) -> str:
    return f"{np.mean(correlations):.2f} ({np.min(correlations):.2f} to {np.max(correlations):.2f})"


def draw(results: dict[str, Any]) -> Figure:
    """Both searches of the first seed, its ranks and its curves; then what all seeds gave."""
    _, short, long = (f"{epochs:.0f}" for epochs in results["epochs"])
    fig, axes = figure(2, 3, width=5.4, height=4.4)
    scatter(axes[0], results["shown"], COARSE, f"one seed: coarse search, {short} epochs a trial")
    scatter(axes[1], results["shown"], FINE, f"one seed: fine search, {long} epochs a trial")
    draw_ranks(axes[2], axes[4], results)
    draw_curves(axes[3], results["shown"]["curves"])
    trials, many = (f"{number:.0f}" for number in results["trials"])
    labels = {COARSE: f"{trials} coarse", MANY: f"{many} coarse", FINE: "coarse + fine"}
    winners = results["winners"]
    searches.draw_winners(
        axes[5], {label: winners[name]["test error"] for name, label in labels.items()}
    )
    return fig


def draw_ranks(shown: Axes, every: Axes, results: dict[str, Any]) -> None:
    """Ranks of one seed's trials after few epochs and after all, and the correlations of all."""
    errors, epochs = results["errors"], [f"{number:.0f}" for number in results["epochs"]]
    for look, colour in ((0, COLOURS[1]), (1, COLOURS[0])):
        style = {"color": colour, "marker": "os"[look], "ls": "none"}
        ranks = (stats.rankdata(errors[0][:, column]) for column in (look, -1))
        shown.plot(*ranks, ms=4, label=f"epochs: {epochs[look]}", **style)
        found = rank_correlations(errors, look)
        every.plot(look + np.linspace(-0.15, 0.15, len(found)), found, ms=5, **style)
    shown.set(xlabel="rank after few epochs", ylabel=f"rank after {epochs[-1]} epochs")
    shown.set_title("one seed: ranks of the coarse trials")
    shown.legend(loc="upper left")
    least = PLANS["C-146"].effects["rank correlation"]
    every.axhline(least, color="black", lw=0.8, ls="--", label=f"claimed: over {least:g}")
    every.set_xticks([0, 1], epochs[:2])
    every.set(xlim=(-0.5, 1.5), ylim=(min(0, every.get_ylim()[0]), 1.02))
    every.set(xlabel="epochs", ylabel=f"Spearman with {epochs[-1]} epochs")
    every.set_title(f"rank correlations of {len(errors)} seeds")
    every.legend(loc="lower left")


def scatter(axes: Axes, shown: dict[str, Any], name: str, title: str) -> None:
    """Rates and decays of one search by validation accuracy, and the notes' printed range."""
    found = {key: np.asarray(values) for key, values in shown[name].items()}
    lost = found["error"] >= searches.DIVERGED
    dots = axes.scatter(
        found["rate"][~lost],
        found["decay"][~lost],
        c=100 - found["error"][~lost],
        cmap="viridis",
        vmin=88,
        vmax=95,
        s=28,
        edgecolors="0.4",
        linewidths=0.5,
        zorder=2,
    )
    axes.plot(found["rate"][lost], found["decay"][lost], "x", color="0.4", ms=5, label="diverged")
    for corners, look in ((PRINTED[name], "--"), (shown["narrowed"], "-")):
        (left, right), (low, high) = corners
        box = Rectangle((left, low), right - left, high - low, fill=False, ls=look, lw=1.2)
        box.set_label("range in the notes" if look == "--" else "range of the fine search")
        axes.add_patch(box)
    axes.set(xscale="log", yscale="log", xlim=(5e-6, 20), ylim=(3e-7, 3e4))
    axes.set(xlabel="learning rate", ylabel="decay", title=title)
    axes.legend(loc="upper right", fontsize=9)
    axes.figure.colorbar(dots, ax=axes, label="validation accuracy / %", extend="min")


def draw_curves(axes: Axes, curves: np.ndarray) -> None:
    """All curves of the fine search, and the best of them."""
    epochs, best = np.arange(1, curves.shape[1] + 1), int(np.argmin(curves[:, -1]))
    axes.semilogy(epochs, curves.T, color="0.6", lw=0.6)
    axes.semilogy(epochs, curves[best], color=COLOURS[0], lw=2.2, label="the best at the end")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.set(xlabel="epochs", ylabel="validation error / %")
    axes.set_title(f"one seed: all {len(curves)} curves of the fine search")
    axes.legend(loc="upper right")
