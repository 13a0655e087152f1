"""Does a second fine search help more than more trials of the first?

002:1064: if the result is still not ideal, go back to step 5, the fine search. For each seed a
coarse search (100 trials of 5 epochs) narrows the ranges of rate and decay, and a fine one (100 of
20 epochs) is made there. Then either its ten best trials narrow them once more for 100 trials of 20
epochs, or 100 more are drawn where the first fine search was. Of all trials that a scheme has had
the one with the least validation error wins, and is trained again with fresh keys. C-150: the
second round must have the lower test error (0.2 point matters).

Command: python -m experiments --only does_a_second_fine_round_help        (CPU, about 10 minutes)
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
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

CLAIMS = ("C-150",)
TIER = 2

ONE, MORE, SECOND = "one fine round", "more trials", "a second round"
SCHEMES = (ONE, MORE, SECOND)
PLANS = {
    "C-150": Plan(
        effects={"points": 0.2},
        gates=("chosen on validation", "edge", "floor"),
        settings={**searches.SETTINGS, "edge": searches.AT_EDGE},
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`trials`: of each search, for `short` epochs in the coarse one and for `long` in the others;
    `keep`: trials that the next search lies around; `fresh`: keys with which a winner is trained
    again."""

    data_set: str = "mnist"
    pool: int = 40_000
    validation: int = 2000
    test: int = 10_000
    count: int = 4000
    hidden: int = 100
    batch: int = 64
    trials: int = 100
    short: int = 5
    long: int = 20
    keep: int = 10
    fresh: int = 6
    seed: int = 150
    seeds: int = 10


SMOKE = Config(
    data_set="digits",
    pool=800,
    validation=200,
    test=200,
    count=200,
    hidden=8,
    trials=8,
    short=1,
    long=2,
    keep=4,
    fresh=2,
    seeds=2,
)
FULL = Config()


def run(config: Config, trials: Path) -> dict[str, Any]:
    """Winners of every scheme and their least validation errors by trial, for every seed."""
    images = lab.read(
        config.data_set, pool=config.pool, validation=config.validation, test=config.test
    )
    learn = searches.learner(images.pool, hidden=config.hidden, batch=config.batch)
    runs = [searches.for_epochs(learn, epochs) for epochs in (config.short, config.long)]
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    found = finish(
        trials,
        {f"seed {number}": number for number in range(config.seeds)},
        lambda number: searched(config, images, runs, keys[number]),
    )
    return {
        "data_set": images.name,
        "count": config.count,
        "hidden": config.hidden,
        "epochs": [config.short, config.long],
        "trials": config.trials,
        **searches.stacked(list(found.values())),
    }


def searched(
    config: Config, images: lab.Images, runs: list[searches.Run], key: jax.Array
) -> dict[str, Any]:
    """The searches of one seed."""
    set_key, coarse_key, fine_key, last_key, fresh_key = jax.random.split(key, 5)
    sets, (short, long) = searches.sets(set_key, images, config.count), runs
    options = {"shared": sets, "by": "error", "progress": False, "chunk": config.trials}
    coarse = tuning.search(coarse_key, short, searches.SPACE, config.trials, **options)
    first = tuning.narrow(searches.SPACE, coarse.table, config.keep, by="error")
    fine = tuning.search(fine_key, long, first, config.trials, **options)
    second = tuning.narrow(first, fine.table, config.keep, by="error")
    last = {
        name: tuning.search(last_key, long, space, config.trials, **options)
        for name, space in ((MORE, first), (SECOND, second))
    }
    rounds = {ONE: [coarse, fine], **{name: [coarse, fine, one] for name, one in last.items()}}
    keys = jax.random.split(fresh_key, config.fresh)
    winners = {
        name: min((tuning.best(one, by="error") for one in found), key=lambda best: best.score)
        for name, found in rounds.items()
    }
    errors = {
        name: np.concatenate([fine.table["error"], one.table["error"]])
        for name, one in last.items()
    }
    return {
        "winners": {name: searches.again(best, long, keys, sets) for name, best in winners.items()},
        "least": {name: np.minimum.accumulate(values) for name, values in errors.items()},
        "decades": [
            [np.log10(axis.high / axis.low) for axis in (space["rate"], space["decay"])]
            for space in (searches.SPACE, first, second)
        ],
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Test errors of the winners of a second round and of more trials."""
    effect, winners = PLANS["C-150"].effects["points"], results["winners"]
    part = paired(
        "test error of the best after more trials of the first fine search minus that of the best "
        "after a second round, points",
        winners[MORE]["test error"] - winners[SECOND]["test error"],
        effect=effect,
        claimed="up",
        panel="b",
    )
    gates = [
        Gate(
            "chosen on validation",
            None,
            "test images choose nothing, and winners are trained again with fresh keys",
        ),
        searches.inside(winners),
        searches.reaches(results["data_set"], winners[SECOND]["test error"]),
    ]
    rate, decay = np.mean(results["decades"], axis=0).T
    gained = {
        name: interval(winners[ONE]["test error"] - winners[name]["test error"])
        for name in (SECOND, MORE)
    }
    beside = [
        f"points gained over one fine round by {name}: {mean:.2f} [{low:.2f}, {high:.2f}]"
        for name, (mean, low, high) in gained.items()
    ]
    beside.append(
        "decades of the coarse, the fine and the second fine search: "
        f"rate {rate[0]:.1f}, {rate[1]:.1f}, {rate[2]:.1f}; "
        f"decay {decay[0]:.1f}, {decay[1]:.1f}, {decay[2]:.1f}"
    )
    short, long = (f"{epochs:.0f}" for epochs in results["epochs"])
    trials = f"{results['trials']:.0f}"
    scope = (
        f"{data_name(results['data_set'])}, {results['count']:.0f} images a seed averaged to "
        f"14 x 14 (digits 8 x 8), {results['hidden']:.0f} hidden rectifiers, momentum 0.9 at a "
        f"constant rate, batch 64, {trials} coarse trials of {short} epochs and {trials} fine ones "
        f"of {long} a round, float32"
    )
    return [all_of("C-150", [part], gates=gates, scope=scope, beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """The least validation error by the number of fine trials, and the winners trained again."""
    fig, (least, tested) = figure(1, 2, width=5.8, height=4.6)
    trials = int(results["trials"])
    numbers = np.arange(1, 2 * trials + 1)
    for name, colour in ((MORE, COLOURS[1]), (SECOND, COLOURS[0])):
        ends = np.array([interval(row) for row in results["least"][name].T])
        style = {"color": colour, "label": name, "linestyle": "--" if name == MORE else "-"}
        band(least, numbers, *ends.T, **style)
    least.axvline(trials, color="black", lw=0.8, ls=":", label="the second round begins")
    seeds = len(results["least"][MORE])
    least.set(xlabel="fine trials", ylabel="least validation error / %")
    least.set_ylim(top=np.mean(results["least"][MORE], axis=0)[min(4, trials - 1)])
    least.set_title(f"mean and 95 % of {seeds} seeds")
    least.legend(loc="upper right")
    rows = np.stack([results["winners"][name]["test error"] for name in SCHEMES])
    tested.plot(rows, color="0.7", lw=0.8)
    mean, low, high = np.array([interval(row) for row in rows]).T
    tested.errorbar(range(3), mean, (mean - low, high - mean), fmt="o", color=COLOURS[0], capsize=4)
    tested.set_xticks(range(3), SCHEMES)
    tested.set(xlim=(-0.3, 2.3), ylabel="test error / %")
    tested.set_title("winners trained again: each seed, mean, 95 %")
    return fig
