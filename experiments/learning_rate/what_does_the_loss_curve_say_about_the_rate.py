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

from experiments.engine import Verdict, data_name, figure, ordered
from experiments.lab import small_mlp as mlp
from jaxtricks import data, optimizers

FIGURES = ("F-004",)
NON_FINITE = ("losses",)

NAMES = ("low", "good", "high", "very high")


@dataclasses.dataclass(frozen=True)
class Config:
    """`examples`: of MNIST at most; `hidden`: units of every hidden layer; `epochs`: of training.

    The four rates rise: those of MNIST, and those of the digits that stand in for it.
    """

    examples: int = 10_000
    hidden: tuple[int, ...] = (64,)
    rates: tuple[float, float, float, float] = (0.003, 0.3, 1.0, 10.0)
    digits_rates: tuple[float, float, float, float] = (0.01, 0.3, 3.0, 10.0)
    epochs: int = 8
    seeds: int = 3


SMOKE = Config(examples=1000, epochs=4, seeds=2)
FULL = Config(examples=60_000, epochs=10)


def run(config: Config) -> dict[str, Any]:
    """Losses [seed, rate, epoch]: at the start, then the means of each epoch's batches."""
    name = "mnist" if data.available("mnist") else "digits"
    fit = mlp.examples(data.load(name, limit=config.examples).train)
    count = len(fit.y) // mlp.BATCH
    sizes = (fit.x.shape[1], *config.hidden, 10)
    rates = config.rates if name == "mnist" else config.digits_rates

    def one(key: jax.Array, rate: jax.Array) -> jax.Array:
        tx = optimizers.gradient_descent(rate)
        losses = mlp.train(tx, key, fit, config.epochs * count, sizes=sizes).losses
        return jnp.append(losses[0], jnp.mean(losses.reshape(config.epochs, count), axis=1))

    @jax.jit
    def train_all() -> jax.Array:
        keys = jax.random.split(jax.random.key(0), config.seeds)
        return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(keys, jnp.array(rates))

    return {"data_set": name, "examples": len(fit.y), "rates": rates, "losses": train_all()}


def judge(results: dict[str, Any]) -> list[Verdict]:
    """It owns a figure only; the tests hold it to the four shapes."""
    del results
    return []


def draw(results: dict[str, Any]) -> Figure:
    """The fan: all seeds thin, the first thick; once as the lecture's sketch, once logarithmic."""
    fig, (plain, wide) = figure(1, 2, width=5.6, height=4.4)
    losses = results["losses"]
    seeds, _, points = losses.shape
    for axes in (plain, wide):
        for i, (name, rate) in enumerate(zip(NAMES, results["rates"], strict=True)):
            look = {"color": ordered("learning rate", rate), "marker": "osD^"[i], "ms": 4}
            axes.plot(np.arange(points), losses[:, i].T, lw=0.8, alpha=0.6, **look)
            axes.plot(np.arange(points), losses[0, i], **look)
            axes.annotate(
                f"{name}, {rate:g}", (points - 1, losses[:, i, -1].mean()), (8, 0),
                textcoords="offset points", va="center", color=look["color"],
            )  # fmt: skip
        axes.set(xlabel="epoch (0: the first batch)", ylabel="training loss / nats")
        axes.set(xlim=(-0.3, 1.28 * points), xticks=range(0, points, 2))
    data = f"{data_name(results['data_set'])}, {results['examples']:,} examples"
    plain.set(ylim=(-0.15, 3.6), title=f"{data} (cut at 3.6)")
    wide.set(yscale="log", title=f"the whole range, {seeds} seeds, all drawn")
    return fig
