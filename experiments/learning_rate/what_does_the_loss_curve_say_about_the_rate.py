"""What does the curve of the loss say about the learning rate?

The lecture's fan of four curves (002:518-521, 004:184-192): a low rate falls slowly, a good one
fast and far, a high one stops too early, a very high one rises. A ReLU net with 64 hidden units,
batches of 32, on 9,000 of 10,000 MNIST examples (the others are set apart) where they are prepared,
else on digits. The four rates were picked by looking at a grid, one set for each data set: this is
a picture, not a test.

Command: python -m experiments --only what_does_the_loss_curve_say_about_the_rate (CPU, about 5 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import COLOURS, figure
from experiments.engine.before import Verdict
from experiments.learning_rate import _small_mlp as mlp
from jaxtricks import data, optimizers

FIGURES = ("F-004",)
NON_FINITE = ("losses",)

NAMES = ("low", "good", "high", "very high")
RATES = {"mnist": (0.003, 0.3, 1.0, 10.0), "digits": (0.01, 0.3, 3.0, 10.0)}


@dataclasses.dataclass(frozen=True)
class Config:
    """`examples`: of MNIST at most; `epochs`: of training."""

    examples: int = 10_000
    epochs: int = 8
    seeds: int = 3


SMOKE = Config(examples=1000, epochs=4, seeds=2)
FULL = Config(examples=60_000, epochs=10)


def run(config: Config) -> dict[str, Any]:
    """Losses [seed, rate, epoch]: at the start, then the means of each epoch's batches."""
    name = "mnist" if data.available("mnist") else "digits"
    fit = mlp.examples(data.load(name, limit=config.examples).train)
    count = len(fit.y) // mlp.BATCH
    sizes = (fit.x.shape[1], 64, 10)

    def one(key: jax.Array, rate: jax.Array) -> jax.Array:
        tx = optimizers.gradient_descent(rate)
        losses = mlp.train(tx, key, fit, config.epochs * count, sizes=sizes).losses
        return jnp.append(losses[0], jnp.mean(losses.reshape(config.epochs, count), axis=1))

    @jax.jit
    def train_all() -> jax.Array:
        keys = jax.random.split(jax.random.key(0), config.seeds)
        return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(keys, jnp.array(RATES[name]))

    return {"data_set": name, "examples": len(fit.y), "rates": RATES[name], "losses": train_all()}


def judge(results: dict[str, Any]) -> list[Verdict]:
    """It owns a figure only; the tests hold it to the four shapes."""
    del results
    return []


def draw(results: dict[str, Any]) -> Figure:
    """The fan: all seeds thin, the first thick; once as the lecture's sketch, once logarithmic."""
    fig, (plain, wide) = figure(1, 2, width=4.6, height=3.6)
    losses = results["losses"]
    seeds, _, points = losses.shape
    for axes in (plain, wide):
        for i, (name, rate) in enumerate(zip(NAMES, results["rates"], strict=True)):
            label = f"{name}, {rate:g}"
            look = {"color": COLOURS[(0, 2, 1, 5)[i]], "marker": "osD^"[i], "ms": 3.5}
            axes.plot(np.arange(points), losses[:, i].T, lw=0.8, alpha=0.6, **look)
            axes.plot(np.arange(points), losses[0, i], label=label, **look)
        axes.set(
            xlabel="epoch (0: the first batch, before training)", ylabel="training loss / nats"
        )
    plain.set(ylim=(0, 3.6), title="as the lecture draws it (cut at 3.6)")
    wide.set(yscale="log", title="the whole range")
    wide.legend(title="learning rate", loc="upper right")
    fig.suptitle(
        f"{results['data_set'].upper()}, {results['examples']:,} examples, mean loss of each "
        f"epoch's batches, {seeds} seeds (all drawn)",
        fontsize=9,
    )
    return fig
