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
    figure,
    finish,
    interval,
    paired,
)
from experiments.tuning import _searches as searches
from jaxtricks import tuning

CLAIMS = ("C-150",)
TIER = 3

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
class Config(searches.Rounds):
    """The seed is this study's own."""

    seed: int = 150


SMOKE = Config(**searches.SMOKE_ROUNDS)
FULL = Config()


def run(config: Config, trials: Path) -> dict[str, Any]:
    """Winners of every scheme, and what further trials gain on the validation images."""
    images, learn, task = searches.prepared(config)
    runs = [searches.for_epochs(learn, epochs) for epochs in (config.short, config.long)]
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    found = finish(
        trials,
        {f"seed {number}": number for number in range(config.seeds)},
        lambda number: searched(config, images, runs, keys[number]),
    )
    return {
        **task,
        "epochs": [config.short, config.long],
        "trials": config.trials,
        **searches.stacked(list(found.values())),
    }


def searched(
    config: Config, images: lab.Images, runs: list[searches.Run], key: jax.Array
) -> dict[str, Any]:
    """The searches of one seed; "gained" is by the number of trials after the first fine ones."""
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
    return {
        "winners": {name: searches.again(best, long, keys, sets) for name, best in winners.items()},
        "gained": {
            name: np.maximum(0, winners[ONE].score - np.minimum.accumulate(one.table["error"]))
            for name, one in last.items()
        },
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
    budgets = f"{trials} coarse trials of {short} epochs and {trials} fine ones of {long} a round"
    scope = searches.scope(results, budgets)
    return [all_of("C-150", [part], gates=gates, scope=scope, beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """What both schemes gain on the validation images, and the winners trained again."""
    fig, (gained, tested) = figure(1, 2, width=5.8, height=4.6)
    for name, colour in ((MORE, COLOURS[1]), (SECOND, COLOURS[0])):
        rows = np.asarray(results["gained"][name])
        ends = np.array([interval(row) for row in rows.T])
        style = {"color": colour, "label": name, "linestyle": "--" if name == MORE else "-"}
        band(gained, np.arange(1, rows.shape[1] + 1), *ends.T, **style)
    gained.set(xlabel="trials after the first fine round", ylabel="validation points gained")
    gained.set_title(f"best of all trials so far: {len(rows)} seeds, mean, 95 %")
    gained.legend(loc="upper left")
    winners = results["winners"]
    searches.draw_winners(tested, {name: winners[name]["test error"] for name in SCHEMES})
    return fig
