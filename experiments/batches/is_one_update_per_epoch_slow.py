"""Is one update per epoch slow on big data?

Averaging an epoch's gradients before one update solves the memory problem, says 000:127, "but when
the data set is large the parameters are updated very slowly". A 196-64-10 ReLU net on MNIST
averaged to 14 x 14 (digits where it is not prepared) is trained by gradient descent: all batches of
128 accumulated to one update an epoch, against one update a batch. The target is a loss of 0.3 on
the first 1,024 training examples at two looks one after another; there is a look after every update
or eighth of an epoch, and what has not arrived after 200 epochs counts as 200. Time is the number
of epochs times the shortest measured epoch. Both arms choose from the same rates, for each number
of examples anew, by the same tuning seeds; the choice is resampled 200 times and its variance
added. C-003: with the most examples the epoch's update takes longer (0.3 is twice the time), and
log10 of the ratio of times rises with log10 of the number of examples (0.1 is 1.3 times a decade).

Command: python -m experiments --only is_one_update_per_epoch_slow      (CPU, about 60 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Arm,
    Gate,
    Plan,
    Tuned,
    Verdict,
    all_of,
    choice_variance,
    data_name,
    figure,
    interval,
    mean,
    paired,
    tune,
)
from experiments.lab.to_target import Racer, racer
from experiments.performance.timing import interleaved

FIGURES = ("F-014",)
CLAIMS = ("C-003",)
ALONE = True  # it measures seconds

BATCH, SIZES = 128, 4
ARMS = ("one update an epoch", f"one update per {BATCH}")
NON_FINITE = ("curves",)
PLANS = {
    "C-003": Plan(
        effects={"log10 time": 0.3, "slope": 0.1},
        gates=("nest", "edge", "sizes"),
        settings={"batch": BATCH, "looks at the target": 2, "sizes": SIZES},
        revised="200 rounds of the clock, as a busy machine had disturbed 25; seeds never used",
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`counts`: examples; `rates`: to choose from, those of both arms; `limit`: epochs at most."""

    counts: tuple[int, ...] = (256, 512, 1024, 2048)
    rates: tuple[float, ...] = (0.45, 0.64, 0.9, 1.28, 1.8, 2.56)
    target: float = 0.3
    limit: int = 200
    seed: int = 25_003
    seeds: int = 10
    tuning_seeds: int = 3
    repeats: int = 200


SMOKE = Config(
    counts=(256, 512), rates=(0.5, 1.0), target=1.5, limit=80, seeds=3, tuning_seeds=1, repeats=2
)
FULL = Config(counts=(1024, 4096, 16_384, 53_760), limit=2000, seeds=20, tuning_seeds=5)


def run(config: Config) -> dict[str, Any]:
    """Epochs `[arm, count, seed]`, seconds of an epoch `[arm, count]`, their ratios, and curves."""
    fit, _, _, name = lab.split("mnist", config.counts[-1], validation=0)
    counts = sorted({min(count, len(fit["label"]) // BATCH * BATCH) for count in config.counts})
    racers = [[make_arm(fit, count, arm) for count in counts] for arm in range(len(ARMS))]
    found = [race_all(runners, config) for runners in zip(*racers, strict=True)]
    by_arm = [[pair[arm] for pair in found] for arm in range(len(ARMS))]
    seconds = epoch_seconds(racers, config)
    shorter, decades = np.log10(seconds[0] / seconds[1]), np.log10(counts)

    def ratio(at: int, slow: np.ndarray, quick: np.ndarray) -> np.ndarray:
        return np.log10(slow["epochs"] / quick["epochs"]) + shorter[at]

    def slope(*tested: Any) -> np.ndarray:
        pairs = zip(tested[::2], tested[1::2], strict=True)
        return np.polyfit(decades, [ratio(i, *pair) for i, pair in enumerate(pairs)], 1)[0]

    every = [tuned for pair in found for tuned in pair]
    edges = [
        f"{ARMS[arm]} with {count} examples"
        for count, pair in zip(counts, found, strict=True)
        for arm, tuned in enumerate(pair)
        if tuned.at_edge
    ]
    return {
        "data_set": name,
        "counts": counts,
        "device": jax.devices()[0].platform,
        "target": config.target,
        "limit": config.limit,
        "tuning_seeds": config.tuning_seeds,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(weights(racers[0][0]))),
        "rates": [[tuned.trial for tuned in row] for row in by_arm],
        "at_edge": edges,
        "epochs": [[tuned.tested["epochs"] for tuned in row] for row in by_arm],
        "curves": [row[-1].tested["curve"] for row in by_arm],
        "checks": [runners[-1].checks for runners in racers],
        "seconds": seconds,
        "ratio": [ratio(i, *(tuned.tested for tuned in pair)) for i, pair in enumerate(found)],
        "slope": slope(*(tuned.tested for tuned in every)),
        "ratio_variance": choice_variance(functools.partial(ratio, len(counts) - 1), *found[-1]),
        "slope_variance": choice_variance(slope, *every),
        "difference": difference(racers[0][-1], racer(first(fit, counts[-1]), counts[-1])),
    }


def first(examples: dict, count: int) -> dict:
    return {name: values[:count] for name, values in examples.items()}


def make_arm(fit: dict, count: int, arm: int) -> Racer:
    """The racer of an arm on the first `count` examples."""
    part = first(fit, count)
    return racer(part, BATCH) if arm else racer(part, count, accumulate=count // BATCH)


def race_all(runners: tuple[Racer, ...], config: Config) -> list[Tuned]:
    """Both arms tuned and tested on one number of examples."""

    def run(key: jax.Array, rate: Any, runner: Racer) -> dict[str, np.ndarray]:
        limit = config.limit
        epochs, losses = runner.race(key, float(rate), config.target, limit, looks=2)
        curve = np.full(limit * runner.checks + 2, np.nan)
        curve[: len(losses)] = losses
        return {"epochs": np.array(min(epochs, limit)), "curve": curve}

    arms = {
        name: Arm(
            functools.partial(run, runner=runner),
            np.array(config.rates),
            lambda result: np.log10(result["epochs"]),
        )
        for name, runner in zip(ARMS, runners, strict=True)
    }
    key, seeds = jax.random.key(config.seed), config.seeds
    return list(tune(key, arms, tuning_seeds=config.tuning_seeds, seeds=seeds).values())


def epoch_seconds(racers: list[list[Racer]], config: Config) -> np.ndarray:
    """The shortest of some runs of one epoch `[arm, count]`, in turns."""
    key, rate = jax.random.key(0), config.rates[0]

    def one(runner: Racer, state: Any) -> None:
        jax.block_until_ready(runner.epoch(state, key))

    contenders = {
        (arm, at): functools.partial(one, runner, runner.start(key, rate))
        for arm, runners in enumerate(racers)
        for at, runner in enumerate(runners)
    }
    wall = interleaved(contenders, config.repeats).wall
    return np.array(
        [[wall[arm, at].min() for at in range(len(row))] for arm, row in enumerate(racers)]
    )


def weights(runner: Racer) -> Any:
    return runner.start(jax.random.key(0), 1.0).params


def difference(accumulated: Racer, whole: Racer) -> float:
    """Largest difference in a parameter from the full batch, after one update."""
    key = jax.random.key(0)
    ends = [runner.epoch(runner.start(key, 1.0), key).params for runner in (accumulated, whole)]
    full, parted = (jax.device_get(jax.tree.leaves(params)) for params in ends)
    return max(float(np.abs(a - b).max()) for a, b in zip(full, parted, strict=True))


def estimate(values: np.ndarray, choice: float) -> Any:
    """With the variance of the choice; equal values as they are, since they are no evidence."""
    return mean(values, choice_variance=choice) if np.ptp(values) > 1e-9 else values


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Longer with the most examples, and more so the more there are."""
    effects, counts = PLANS["C-003"].effects, results["counts"]
    most = f"{counts[-1]:,.0f} examples"
    parts = [
        paired(
            f"log10 of the time to the target with {most}, one update an epoch over one per "
            f"{BATCH}",
            estimate(results["ratio"][-1], results["ratio_variance"]),
            effect=effects["log10 time"],
            claimed="up",
            panel="c",
        ),
        paired(
            "its slope in log10 of the number of examples",
            estimate(results["slope"], results["slope_variance"]),
            effect=effects["slope"],
            claimed="up",
            panel="c",
        ),
    ]
    gates = [
        Gate(
            "nest",
            None,
            f"rates chosen by {results['tuning_seeds']:.0f} seeds that are not judged, the choice "
            "resampled",
        ),
        Gate(
            "edge",
            not results["at_edge"],
            f"rates at an end of the grid: {', '.join(results['at_edge']) or 'none'}",
        ),
        Gate("sizes", len(counts) >= SIZES, f"{len(counts)} numbers of examples"),
    ]
    beside = [
        f"{count:.0f} examples: {slow.mean():.1f} epochs and {quick.mean():.2f}, "
        f"{10 ** np.mean(ratio):.1f} times the time"
        for count, slow, quick, ratio in zip(
            counts, *np.asarray(results["epochs"]), np.asarray(results["ratio"]), strict=True
        )
    ]
    beside.append(
        f"after one update the accumulated gradient's weights are the full batch's within "
        f"{results['difference']:.1e}"
    )
    scope = (
        f"{data_name(results['data_set'])}, {counts[0]:.0f} to {most}, one hidden layer of 64 ReLU "
        f"({results['parameters']:,.0f} parameters), gradient descent to a training loss of "
        f"{results['target']}, float32, seconds of a {results['device'].upper()}"
    )
    return [all_of("C-003", parts, scope=scope, gates=gates, beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """Loss against epochs, and epochs and time against the number of examples."""
    fig, (curves, epochs, times) = figure(1, 3, width=5.2, height=4.6)
    for i, arm in enumerate(ARMS):
        losses = results["curves"][i]
        at = np.arange(losses.shape[1]) / results["checks"][i]
        curves.plot(at, losses.T, color=COLOURS[i], lw=0.9, alpha=0.6)
        label = f"{arm}, rate {results['rates'][i][-1]:g}"
        curves.plot([], [], color=COLOURS[i], label=label)
    curves.axhline(results["target"], color="grey", ls="--", lw=1, label="target")
    curves.set_xscale("symlog", linthresh=1)
    most = 1.5 * np.max(np.asarray(results["epochs"])[:, -1])
    curves.set(xlabel="epochs", ylabel="training loss / nats", xlim=(0, most), ylim=(0, 4))
    ticks = [tick for tick in (0, 1, 10, 100, 1000) if tick < most]
    curves.set_xticks(ticks, [str(tick) for tick in ticks])
    name, seeds = data_name(results["data_set"]), len(results["curves"][0])
    curves.set_title(f"{name}, {results['counts'][-1]:.0f} examples: {seeds} seeds")
    curves.legend(loc="upper right")
    draw_growth(epochs, results, np.ones_like(results["seconds"]), "epochs to the target")
    draw_growth(times, results, 1000 * np.asarray(results["seconds"]), "time to the target / ms")
    epochs.set_title(f"To a loss of {results['target']}: mean and 95 %")
    times.set_title(f"The same in time of a {results['device'].upper()}")
    return fig


def draw_growth(axes: Axes, results: dict[str, Any], scale: np.ndarray, label: str) -> None:
    """Epochs, times `scale`, against the number of examples; mean and 95 %."""
    counts = results["counts"]
    every = np.asarray(results["epochs"]) * scale[:, :, None]
    for i, arm in enumerate(ARMS):
        means, lows, highs = np.array([interval(row) for row in every[i]]).T
        look = {"color": COLOURS[i], "fmt": "os"[i] + "-", "capsize": 4, "label": arm}
        axes.errorbar(counts, means, [means - lows, highs - means], **look)
    axes.set(xscale="log", yscale="log", xlabel="training examples N", ylabel=label)
    axes.set_xticks(counts, [f"{count:.0f}" for count in counts])
    low, high = every.min() / 1.5, every.max() * 2.5
    ticks = [t for t in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if low < t < high]
    axes.set_yticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(low, high)
    axes.legend(loc="upper left")
