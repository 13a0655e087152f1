"""Does the error rise at a warm restart, and fall lower after it?

The lecture's picture of SGDR (002:541-546). The rate is exact: cosine cycles of 2, 4, 8 and 16
epochs from 0.05 (F-056: it must be 0.05 at each restart). A small convolutional network (8 and 16
channels, 64 hidden units) on 1,600 CIFAR-10 images, momentum 0.9, batches of 32; the rate was fixed
in advance, that of the SGDR paper. Measured after every epoch, paired by seed: the rise of the test
error from the last epoch of a cycle to the worst of the next cycle's first half, and its fall from
one cycle's end to the next one's; both must be positive at each of the three restarts.

Command: python -m experiments --only does_the_error_rise_at_restarts --tier 2  (CPU, about 2 min)
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import COLOURS, Verdict, band, data_name, figure, interval
from experiments.lab import ensembles as runs
from jaxtricks import models, optimizers, schedules, training

FIGURES = ("F-056",)
TIER = 2

PEAK, MULTIPLIER = 0.05, 2
METRICS = {"error": "%", "loss": "nats"}


@dataclasses.dataclass(frozen=True)
class Config:
    """`first_epochs`: of the first of `cycles`; `limit`: as of `lab.split`.

    `features`: of the convolutions; none stands for softmax regression, because convolutions take
    long to compile.
    """

    data_set: str = "cifar10"
    limit: int = 2000
    features: tuple[int, ...] = (8, 16)
    hidden: int = 64
    first_epochs: int = 2
    cycles: int = 4
    seeds: int = 10


SMOKE = Config("digits", limit=100, features=(), first_epochs=1, cycles=2, seeds=2)
FULL = Config(limit=50_000, features=(32, 64, 128), hidden=128, first_epochs=10, cycles=4)


def run(config: Config) -> dict[str, Any]:
    """The rate of every step, and errors in percent and losses `[seed, epoch]`."""
    sets = lab.split(config.data_set, config.limit, digits_test=0.3, halve=False)
    if config.features:
        model = models.SmallCNN(config.features, config.hidden)
    else:
        model = models.linear_model()
    steps = len(sets.pool["label"]) // runs.BATCH
    rate = schedules.cosine_restarts(PEAK, config.first_epochs * steps, multiplier=MULTIPLIER)
    ends = config.first_epochs * np.cumsum(MULTIPLIER ** np.arange(config.cycles))
    ours = lab.trainer(model, optimizers.momentum(rate))

    def one(key: jax.Array, _: Any, train: Any, test: Any) -> dict[str, jax.Array]:
        def look(state: Any) -> dict[str, jax.Array]:
            return training.evaluate(ours, ours.variables(state), test, 250)

        init_key, run_key = jax.random.split(key)
        first = lab.first_variables(model, init_key, train)
        return lab.train(
            ours, first, train, key=run_key, epochs=int(ends[-1]), batch=runs.BATCH, look=look
        )[1]

    keys = jax.random.split(jax.random.key(0), config.seeds)
    out = lab.over(one, {"only": np.zeros(1)}, keys, (sets.pool, sets.test))
    return {
        "data_set": sets.name,
        "cycle ends": ends,
        "steps per epoch": steps,
        "rates": jax.jit(jax.vmap(rate))(np.arange(steps * ends[-1])),
        "error": 100 * (1 - out["accuracy"][0]),
        "loss": out["loss"][0],
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """A figure without a claim; C-054 is judged by `are_restarts_useful`."""
    del results
    return []


def at_cycle_ends(results: dict[str, Any], metric: str) -> np.ndarray:
    """A metric `[seed, cycle]` after the last epoch of each cycle."""
    return results[metric][:, results["cycle ends"] - 1]


def rises(results: dict[str, Any], metric: str) -> np.ndarray:
    """Worst of the first half of each later cycle minus the end before it, `[seed, restart]`."""
    ends = results["cycle ends"]
    pairs = zip(ends[:-1], ends[1:], strict=True)
    peaks = [results[metric][:, a : a + max((b - a) // 2, 1)].max(axis=1) for a, b in pairs]
    return np.stack(peaks, axis=1) - at_cycle_ends(results, metric)[:, :-1]


def draw(results: dict[str, Any]) -> Figure:
    """The rate, the error and the loss against the epoch, with the restarts."""
    fig, (rate, error, loss) = figure(1, 3, width=5.4, height=4.4)
    steps, ends = results["steps per epoch"], results["cycle ends"]
    rate.plot(np.arange(len(results["rates"])) / steps, results["rates"], color=COLOURS[0])
    restarts = results["rates"][ends[:-1] * steps]
    rate.plot(
        ends[:-1], restarts, "o", color=COLOURS[5],
        label=f"restarts: {', '.join(f'{value:g}' for value in restarts)}",
    )  # fmt: skip
    name, seeds = data_name(results["data_set"]), len(results["error"])
    rate.set(ylabel="learning rate", ylim=(0, 0.06))
    rate.set_title(f"{name}, mean and 95 % of {seeds} seeds")
    rate.legend()
    for axes, (metric, unit) in zip((error, loss), METRICS.items(), strict=True):
        rows = np.array([interval(column) for column in results[metric].T])
        epochs = 1 + np.arange(len(rows))
        band(axes, epochs, *rows.T, color=COLOURS[0], marker="o", markersize="3")
        axes.plot(epochs, results[metric].T, color="black", lw=0.4, alpha=0.5)
        axes.plot([], [], color="black", lw=0.4, label="one seed")
        axes.plot(ends, rows[ends - 1, 0], "D", color=COLOURS[1], label="ends of cycles", zorder=5)
        axes.set(ylabel=f"test {metric} / {unit}", title=title(results, metric))
        axes.legend()
    for axes in (rate, error, loss):
        for end in ends[:-1]:
            axes.axvline(end, color="black", lw=1, ls=":")
        axes.set(xlabel="epoch (dotted: restarts)")
    return fig


def title(results: dict[str, Any], metric: str) -> str:
    """How far the metric rises after each restart."""
    mean = rises(results, metric).mean(axis=0)
    return "rises after restarts: " + ", ".join(f"{value:.2g}" for value in mean)
