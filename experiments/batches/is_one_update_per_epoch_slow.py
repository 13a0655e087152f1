"""Is one update per epoch slow on big data?

000:127: averaging an epoch's gradients before one update solves the memory problem, "but when the
data set is large the parameters are updated very slowly", hence SGD. A 196-64-10 ReLU net on MNIST
averaged to 14 x 14 (digits where it is not prepared), gradient descent: all batches of 128
accumulated to one update an epoch, against one update a batch. Target: a loss of 0.3 on the first
1,024 training examples, looked at after every update or eighth of an epoch. Both arms choose from
the same rates by the epochs of the same tuning seeds; judged on fresh paired seeds with the most
examples: the ratio of epochs must be over 10 (F-014), that of times over 1 (epochs times the
shortest measured epoch). Accumulation must be the full batch: one update within 1e-6. A first
run had 512 examples too, and the same end; they were left out for time.

Command: python -m experiments --only is_one_update_per_epoch_slow      (CPU, about 33 s)
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.batches._race import Racer, epoch_seconds, racer, tune_and_race
from experiments.engine import COLOURS, figure, interval
from experiments.engine.before import Verdict, combine, exact, paired
from experiments.networks import read_images

FIGURES = ("F-014",)
CLAIMS = ("C-003",)
ALONE = True  # it measures seconds

BATCH = 128
ARMS = ("one update an epoch", f"one update per {BATCH}")
NON_FINITE = ("tuning", "curves")


@dataclasses.dataclass(frozen=True)
class Config:
    """`counts`: examples; `rates`: to choose from, those of both arms; `limit`: epochs at most."""

    counts: tuple[int, ...] = (1024, 2048, 4096)
    rates: tuple[float, ...] = (0.08, 0.16, 0.32, 0.64, 1.28, 2.56)
    target: float = 0.3
    limit: int = 400
    seeds: int = 5
    tuning_seeds: int = 2
    repeats: int = 5
    updates: int = 20


SMOKE = Config(
    counts=(256,), rates=(0.5, 1.0), target=2.2, limit=40, seeds=2, tuning_seeds=1, repeats=1,
    updates=2,
)  # fmt: skip
FULL = Config(counts=(1024, 4096, 16_384, 53_760), limit=2000, seeds=20, tuning_seeds=3)


def run(config: Config) -> dict[str, Any]:
    """Epochs `[arm, count, seed]`, seconds of an epoch `[arm, count]`, and curves."""
    (fit, _, _), name = read_images("mnist", config.counts[-1], validation=0)
    counts = sorted({min(count, len(fit["label"]) // BATCH * BATCH) for count in config.counts})
    keys = jax.random.split(jax.random.key(0), config.seeds + config.tuning_seeds)
    results: dict[str, Any] = {
        "data_set": name, "counts": counts, "target": config.target,
        "epochs": [], "seconds": [], "rates": [], "tuning": [], "curves": [], "checks": [],
    }  # fmt: skip
    runners = []
    for arm in range(len(ARMS)):
        rows: dict[str, list] = {"epochs": [], "seconds": [], "rates": [], "tuning": []}
        near = 1.28
        for count in counts:
            runner = make_arm(fit, count, arm)
            tuned = tune_and_race(
                runner, rates=config.rates, near=near, target=config.target, limit=config.limit,
                tuning_keys=list(keys[config.seeds :]), keys=list(keys[: config.seeds]),
            )  # fmt: skip
            near = tuned.rate
            rows["epochs"].append(tuned.epochs)
            rows["seconds"].append(epoch_seconds(runner, tuned.rate, config.repeats))
            rows["rates"].append(tuned.rate)
            rows["tuning"].append(tuned.totals)
        for key, values in rows.items():
            results[key].append(values)
        results["curves"].append(padded(tuned.losses))
        results["checks"].append(runner.checks)
        runners.append(runner)
    gaps = differences(fit, counts[-1], runners[0], results["rates"][0][-1], config)
    return results | {"differences": gaps}


def make_arm(fit: dict, count: int, arm: int) -> Racer:
    """The racer of an arm on the first `count` examples."""
    part = {name: values[:count] for name, values in fit.items()}
    if arm == 0:
        return racer(part, count, accumulate=count // BATCH)
    return racer(part, BATCH)


def padded(curves: list[list[float]]) -> np.ndarray:
    """The curves as rows, NaN after their ends."""
    rows = np.full((len(curves), max(map(len, curves))), np.nan)
    for row, curve in zip(rows, curves, strict=True):
        row[: len(curve)] = curve
    return rows


def differences(
    fit: dict, count: int, accumulated: Racer, rate: float, config: Config
) -> list[float]:
    """Largest difference in a parameter from the full batch, after each of some updates."""
    whole = racer({name: values[:count] for name, values in fit.items()}, count)
    key, gaps = jax.random.key(0), []
    states = [runner.start(key, rate) for runner in (whole, accumulated)]
    for _ in range(config.updates):
        states = [
            runner.epoch(state, key)
            for runner, state in zip((whole, accumulated), states, strict=True)
        ]
        full, parted = (jax.device_get(jax.tree.leaves(state.params)) for state in states)
        gaps.append(max(float(np.abs(a - b).max()) for a, b in zip(full, parted, strict=True)))
    return gaps


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Ten times the epochs, more time, and the same update as the full batch."""
    accumulated, stepped = (np.asarray(epochs)[-1] for epochs in results["epochs"])
    slow, quick = (seconds[-1] for seconds in results["seconds"])
    ratio = accumulated / stepped
    text = (
        f"{results['data_set']}, {results['counts'][-1]:.0f} examples to a loss of "
        f"{results['target']}: {accumulated.mean():.1f} epochs against {stepped.mean():.2f}, "
        f"ratio {ratio.mean():.1f}, less 10"
    )
    times = accumulated * slow, stepped * quick
    seconds = f"{times[0].mean():.3g} s against {times[1].mean():.3g} s, log10 ratio"
    parts = [
        paired("C-003", ratio - 10, text, claimed="positive"),
        paired("C-003", np.log10(times[0] / times[1]), seconds, claimed="positive"),
        exact(
            "C-003",
            results["differences"][0] <= 1e-6,
            f"accumulation is the full batch within {results['differences'][0]:.1e} after an "
            f"update, {results['differences'][-1]:.1e} after {len(results['differences'])}",
        ),
    ]
    return [combine("C-003", parts)]


def draw(results: dict[str, Any]) -> Figure:
    """Loss against epochs, and epochs and time against the number of examples."""
    fig, (curves, epochs, seconds) = figure(1, 3, width=4.5, height=3.5)
    for i, arm in enumerate(ARMS):
        losses = results["curves"][i]
        at = np.arange(losses.shape[1]) / results["checks"][i]
        curves.plot(at, losses.T, color=COLOURS[i], lw=0.9, alpha=0.7)
        curves.plot([], [], color=COLOURS[i], label=f"{arm}, rate {results['rates'][i][-1]:g}")
    curves.axhline(results["target"], color="gray", ls="--", lw=1, label="target")
    seeds = len(results["curves"][0])
    curves.set_xscale("symlog", linthresh=1)
    curves.set(
        xlabel="epochs", ylabel="training loss, nats", xlim=(0, 1.5 * np.max(results["epochs"])),
        ylim=(0, 2.6),
        title=f"{results['data_set']}, {results['counts'][-1]:.0f} examples, {seeds} seeds",
    )  # fmt: skip
    curves.legend(fontsize=7)
    draw_growth(epochs, results, np.ones_like(results["seconds"]), "epochs to the target")
    draw_growth(seconds, results, np.asarray(results["seconds"]), "seconds to the target")
    return fig


def draw_growth(axes: Axes, results: dict[str, Any], scale: np.ndarray, label: str) -> None:
    """Epochs, times `scale`, against the number of examples; mean and 95 %."""
    counts = results["counts"]
    every = np.asarray(results["epochs"]) * scale[:, :, None]
    for i, arm in enumerate(ARMS):
        means, lows, highs = np.array([interval(row) for row in every[i]]).T
        axes.errorbar(
            counts, means, [means - lows, highs - means], fmt="os"[i] + "-", capsize=3,
            color=COLOURS[i], label=arm,
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="training examples N", ylabel=label)
    axes.set_xticks(counts, [f"{count:.0f}" for count in counts])
    axes.xaxis.minorticks_off()
    decades = np.log10([every.min(), every.max()])
    axes.set_ylim(10 ** np.floor(decades[0]), 10 ** np.ceil(decades[1]))
    axes.set_title(f"loss {results['target']}, rates tuned, mean and 95 %")
    axes.legend(fontsize=7)
