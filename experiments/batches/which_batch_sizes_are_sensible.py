"""Which batch sizes are sensible?

000:120-121: "not single usually; batch = 16, 32, 64, 128". A 196-64-10 ReLU net on MNIST averaged
to 14 x 14 (digits where it is not prepared), gradient descent, to a loss of 0.3 on the first 1,024
training examples, looked at after every update or eighth of an epoch. Each batch size chooses from
the same nine rates by the epochs of the same tuning seeds; time = epochs on fresh paired seeds
times the shortest measured epoch, on one device. C-005: (a) single examples take longer than the
quickest of 16 to 128; (b) each of 16 to 128 takes less than twice the time of the quickest size of
all. Seconds belong to the device named in the ledger; epochs do not. Four sizes had
been timed with one seed, to size the run, before the rule was written.

Command: python -m experiments --only which_batch_sizes_are_sensible      (CPU, about 45 s)
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.batches._race import epoch_seconds, racer, tune_and_race
from experiments.engine import COLOURS, data_name, figure, interval
from experiments.engine.before import Verdict, combine, paired
from experiments.networks import read_images

FIGURES = ()
CLAIMS = ("C-005",)
ALONE = True  # it measures seconds
TIER = 2

NON_FINITE = ("tuning",)
USUAL = (16, 128)
PASSES = 10  # per example of a batch: no size makes more than 10 N updates


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: examples; `limit`: epochs at most, or 10 B if that is less."""

    batch_sizes: tuple[int, ...] = (1, 4, 16, 32, 64, 128, 256, 1024, 4096)
    rates: tuple[float, ...] = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56)
    count: int = 4096
    target: float = 0.3
    limit: int = 400
    seeds: int = 5
    tuning_seeds: int = 2
    repeats: int = 25


SMOKE = Config(
    batch_sizes=(1, 16, 128), rates=(0.1, 0.5), count=256, target=2.0, limit=100, seeds=2,
    tuning_seeds=1, repeats=1,
)  # fmt: skip
FULL = Config(
    batch_sizes=(1, 4, 16, 32, 64, 128, 256, 1024, 4096, 16_384),
    count=53_760, limit=2000, seeds=20, tuning_seeds=3,
)  # fmt: skip


def run(config: Config) -> dict[str, Any]:
    """Epochs `[batch size, seed]`, seconds of an epoch, and the chosen rates."""
    (fit, _, _), name = read_images("mnist", config.count, validation=0)
    sizes = [size for size in config.batch_sizes if size <= len(fit["label"])]
    keys = list(jax.random.split(jax.random.key(0), config.seeds + config.tuning_seeds))
    rates, tuning, epochs, seconds = [], [], [], []
    for size in sizes:
        runner = racer(fit, size)
        tuned = tune_and_race(
            runner, rates=config.rates, near=rates[-1] if rates else 0.1, target=config.target,
            limit=min(config.limit, PASSES * size), tuning_keys=keys[config.seeds :],
            keys=keys[: config.seeds],
        )  # fmt: skip
        rates.append(tuned.rate)
        tuning.append(tuned.totals)
        epochs.append(tuned.epochs)
        seconds.append(epoch_seconds(runner, tuned.rate, config.repeats))
    return {
        "data_set": name,
        "examples": len(fit["label"]),
        "device": jax.devices()[0].platform,
        "batch_sizes": sizes,
        "target": config.target,
        "grid": config.rates,
        "rates": rates,
        "tuning": tuning,
        "epochs": epochs,
        "seconds": seconds,
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Single examples are slower than the quickest usual size; no usual size is twice as slow."""
    sizes = np.asarray(results["batch_sizes"])
    times = np.asarray(results["epochs"]) * np.asarray(results["seconds"])[:, None]
    usual = (sizes >= USUAL[0]) & (sizes <= USUAL[1])
    means = times.mean(axis=1)
    best = int(np.argmin(means))
    best_usual = int(np.argmin(np.where(usual, means, np.inf)))
    text = (
        f"{results['data_set']}, {results['device']}: B = 1 takes {means[0]:.3g} s "
        f"({np.mean(results['epochs'][0]):.2f} epochs), B = {sizes[best_usual]:.0f} "
        f"{means[best_usual]:.3g} s, log2 ratio"
    )
    parts = [paired("C-005", np.log2(times[0] / times[best_usual]), text, claimed="positive")]
    for i in np.flatnonzero(usual):
        text = (
            f"B = {sizes[i]:.0f} takes {means[i]:.3g} s, {means[i] / means[best]:.2f} times the "
            f"quickest (B = {sizes[best]:.0f}), log2 ratio less 1"
        )
        slower = np.log2(times[i] / times[best]) - 1
        parts.append(paired("C-005", slower, text, claimed="negative"))
    slowest = int(np.argmax(means))
    verdict = combine("C-005", parts)
    text = f"{verdict.measured}; slowest: B = {sizes[slowest]:.0f} with {means[slowest]:.3g} s"
    return [dataclasses.replace(verdict, measured=text)]


def draw(results: dict[str, Any]) -> Figure:
    """Epochs and time to the target, and the rates, against the batch size."""
    fig, (epochs, seconds, rates) = figure(1, 3, width=5.2, height=4.6)
    sizes, rows = np.asarray(results["batch_sizes"]), np.asarray(results["epochs"])
    draw_rows(epochs, sizes, rows, "epochs to the target")
    draw_rows(seconds, sizes, 1000 * rows * results["seconds"][:, None], "time to the target / ms")
    seconds.axvspan(*USUAL, color="grey", alpha=0.15, label='"16, 32, 64, 128"')
    seconds.legend(loc="upper left")
    name, examples = data_name(results["data_set"]), results["examples"]
    epochs.set_title(f"{name}, {examples:.0f} examples, to a loss of {results['target']}")
    seconds.set_title(f"{results['device'].upper()}: mean and 95 % of {rows.shape[1]} seeds")
    rates.loglog(sizes, results["rates"], "o-", color=COLOURS[0], label="chosen")
    law = results["rates"][0] * np.array([1.0, 32.0])
    rates.plot([1, 32], law, ":", color="black", label=r"$\propto B$")
    for edge in (results["grid"][0], results["grid"][-1]):
        rates.axhline(edge, color="grey", ls="--", lw=1)
    rates.set(ylabel="learning rate", title="Tuned rate (dashed: ends of the grid)")
    rates.legend(loc="center right")
    log_sizes(rates, sizes)
    plain_ticks(rates, (0.01, 0.03, 0.1, 0.3, 1, 3))
    return fig


def draw_rows(axes: Axes, sizes: np.ndarray, rows: np.ndarray, label: str) -> None:
    """Mean and interval of each size's seeds."""
    means, lows, highs = np.array([interval(row) for row in rows]).T
    bars = [means - lows, highs - means]
    axes.errorbar(sizes, means, bars, fmt="o-", capsize=4, color=COLOURS[0])
    axes.set(yscale="log", ylabel=label)
    log_sizes(axes, sizes)
    plain_ticks(axes, (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000))


def plain_ticks(axes: Axes, ticks: tuple[float, ...]) -> None:
    """Those of the vertical axis that lie within it, as plain numbers."""
    low, high = axes.get_ylim()
    shown = [tick for tick in ticks if low <= tick <= high]
    axes.set_yticks(shown, [f"{tick:g}" for tick in shown])
    axes.yaxis.minorticks_off()


def log_sizes(axes: Axes, sizes: np.ndarray) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [f"{size:.0f}" for size in sizes], rotation=60)
    axes.set_xlabel("batch size B")
