"""Does decay from 0.1 to 1e-4 beat the best constant rate?

The lecture's advice for SGD (001:34). A 64-64-10 ReLU net on digits, batches of 32. Constant rates
on a grid, the best chosen by the mean validation loss; against it the rate that falls by equal
ratios from 0.1 to 1e-4 over the run. Metric: test loss at the end, paired by seed; test accuracy
is reported. For the picture every rate of the grid also starts a decay to a thousandth of itself.

Command: python -m experiments --only does_decay_from_a_tenth_beat_a_constant_rate (CPU, about 5 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import COLOURS, band, figure, interval
from experiments.engine.before import Verdict, paired
from experiments.learning_rate import _small_mlp as mlp
from jaxtricks import data, optimizers, schedules

CLAIMS = ("C-047",)
TIER = 2

RATES = tuple(10.0 ** (power / 2) for power in range(-6, 2))  # 1e-3 to 3.2
ADVISED, SHRINK = 4, 1e-3  # the rate 0.1; final over first rate
KINDS = ("constant", "decay")
WORST = 1e3  # stands for any larger loss and for NaN


@dataclasses.dataclass(frozen=True)
class Config:
    """`steps`: of every run, 36 an epoch."""

    steps: int = 1080
    seeds: int = 10


SMOKE = Config(steps=36, seeds=2)
FULL = Config(steps=10_800, seeds=40)


def run(config: Config) -> dict[str, Any]:
    """Validation and test loss and test accuracy [seed, rate] of both kinds; shared keys."""
    splits = data.load("digits", validation=0.2)
    fit, held_back, test = (mlp.examples(split) for split in splits)

    def one(key: jax.Array, rate: jax.Array, final: jax.Array) -> dict[str, jax.Array]:
        schedule = schedules.geometric_decay(rate, final, config.steps - 1)
        end = mlp.train(optimizers.gradient_descent(schedule), key, fit, config.steps).params
        losses = [mlp.loss(end, some) for some in (fit, held_back, test)]
        train, validation, tested = (jnp.where(loss < WORST, loss, WORST) for loss in losses)
        accuracy = mlp.accuracy(end, test)
        return {"train": train, "validation": validation, "test": tested, "accuracy": accuracy}

    @jax.jit
    def train_all(rates: jax.Array, final: jax.Array) -> dict[str, jax.Array]:
        keys = jax.random.split(jax.random.key(0), config.seeds)
        over_rates = jax.vmap(one, (None, 0, 0))
        return jax.vmap(over_rates, (0, None, None))(keys, rates, final)

    rates = np.array(RATES, np.float32)
    return {
        "data_set": "digits",
        "steps": config.steps,
        "rates": rates,
        "constant": train_all(rates, rates),
        "decay": train_all(rates, np.float32(SHRINK) * rates),
    }


def best(results: dict[str, Any], kind: str) -> int:
    """The rate with the least mean validation loss."""
    return int(np.argmin(results[kind]["validation"].mean(axis=0)))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if the advised decay has the smaller test loss."""
    constant, decay = results["constant"], results["decay"]
    i, j = best(results, "constant"), best(results, "decay")
    gain = constant["test"][:, i] - decay["test"][:, ADVISED]
    text = (
        f"{results['steps']} steps: test loss {decay['test'][:, ADVISED].mean():.3f} (accuracy "
        f"{decay['accuracy'][:, ADVISED].mean():.1%}) from 0.1 to 1e-4, best constant rate "
        f"{RATES[i]:.2g} {constant['test'][:, i].mean():.3f} "
        f"({constant['accuracy'][:, i].mean():.1%}), best decay, from {RATES[j]:.2g}, "
        f"{decay['test'][:, j].mean():.3f} ({decay['accuracy'][:, j].mean():.1%}); "
        "constant minus advised"
    )
    return [paired("C-047", gain, text, claimed="positive")]


def draw(results: dict[str, Any]) -> Figure:
    """Test loss and accuracy against the (first) rate, the advised decay marked."""
    fig, (losses, accuracies) = figure(1, 2, width=4.8, height=3.5)
    rates = results["rates"]
    for axes, metric in ((losses, "test"), (accuracies, "accuracy")):
        for kind, colour in zip(KINDS, COLOURS, strict=False):
            rows = np.array([interval(column) for column in results[kind][metric].T])
            label = {"constant": "constant", "decay": "decays to a thousandth"}[kind]
            band(axes, rates, *rows.T, color=colour, label=label, marker="o")
            if kind == "decay":
                axes.plot(
                    rates[ADVISED], rows[ADVISED, 0], "*", ms=14, color=colour, mec="black",
                    label="advised: 0.1 to 1e-4", zorder=5,
                )  # fmt: skip
        axes.set(xscale="log", xlabel="first learning rate")
    losses.set(yscale="log", ylabel="test loss / nats", title=f"after {results['steps']} steps")
    seeds = len(results["constant"]["test"])
    accuracies.set(ylabel="test accuracy", title=f"digits, mean and 95 % interval, {seeds} seeds")
    losses.legend()
    return fig
