"""Is the best learning rate between 1e-3 and 1e-5?

The lecture's advice (004:190). SGD, SGD with momentum 0.9 and Adam train two ReLU nets on digits
(one and three hidden layers of 64, batches of 32) at rates from 1e-5 to 10, half a decade apart;
each seed's optimum is the rate with the least validation loss at the end. The advice holds for a
method and net if the mean log10 of the optimum is at most -3, by the grid's half step of 0.25.

Command: python -m experiments --only is_the_best_rate_under_a_thousandth      (CPU, about 12 s)
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.engine import band, figure, interval, method
from experiments.engine.before import Verdict, combine, paired
from experiments.learning_rate import _small_mlp as mlp
from experiments.scenes import DECAY
from jaxtricks import data, optimizers

CLAIMS = ("C-046",)
TIER = 2

METHODS: dict[str, Callable[[jax.Array], optax.GradientTransformation]] = {
    "gradient descent": optimizers.gradient_descent,
    "momentum": lambda rate: optimizers.momentum(rate, decay=DECAY),
    "adam": optimizers.adam,
}
NETS = {"one hidden layer": (64, 64, 10), "three hidden layers": (64, 64, 64, 64, 10)}
WORST = 1e3  # stands for any larger loss and for NaN


@dataclasses.dataclass(frozen=True)
class Config:
    """`rates`: from 1e-5 to 10; `steps`: of every run, 33 an epoch."""

    nets: tuple[str, ...] = tuple(NETS)
    methods: tuple[str, ...] = tuple(METHODS)
    rates: int = 13
    steps: int = 500
    seeds: int = 5


SMOKE = Config(nets=("one hidden layer",), methods=("adam",), rates=7, steps=60, seeds=2)
FULL = Config(rates=25, steps=5000, seeds=20)


def run(config: Config) -> dict[str, Any]:
    """Validation losses [seed, rate] for every method and net; the arms share keys."""
    splits = data.load("digits", validation=0.25)
    fit, held_back = mlp.examples(splits.train), mlp.examples(splits.validation)
    rates = np.geomspace(1e-5, 10.0, config.rates, dtype=np.float32)

    @functools.partial(jax.jit, static_argnums=(0, 1))
    def losses(make: Callable, sizes: tuple[int, ...]) -> jax.Array:
        def one(key: jax.Array, rate: jax.Array) -> jax.Array:
            end = mlp.train(make(rate), key, fit, config.steps, sizes=sizes)
            loss = mlp.loss(end.params, held_back)
            return jnp.where(loss < WORST, loss, WORST)  # NaN too

        keys = jax.random.split(jax.random.key(0), config.seeds)
        return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(keys, rates)

    return {
        "data_set": "digits",
        "rates": rates,
        "losses": {
            net: {name: losses(METHODS[name], NETS[net]) for name in config.methods}
            for net in config.nets
        },
    }


def optima(rates: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Each seed's log10 of the rate with the least loss."""
    return np.log10(rates[np.argmin(losses, axis=1)])


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if every method's optimum, on both nets, is at most 1e-3 within a half step."""
    parts = [
        paired(
            "C-046",
            -2.75 - optima(results["rates"], losses),
            f"{name}, {net}: best rate {10 ** optima(results['rates'], losses).mean():.2g}, "
            "-2.75 minus its log10",
            claimed="positive",
        )
        for net, methods in results["losses"].items()
        for name, losses in methods.items()
    ]
    return [combine("C-046", parts)]


def draw(results: dict[str, Any]) -> Figure:
    """Validation loss against the rate, the advised range shaded, the optima marked."""
    fig, panels = figure(1, len(results["losses"]), width=5.6, height=4.4, sharey=True)
    rates = results["rates"]
    seeds = len(results["losses"]["one hidden layer"]["adam"])
    for axes, (net, methods) in zip(panels, results["losses"].items(), strict=True):
        axes.axvspan(1e-5, 1e-3, color="grey", alpha=0.2, lw=0, label="advised: 1e-5 to 1e-3")
        for name, losses in methods.items():
            rows = np.array([interval(column) for column in losses.T])
            band(axes, rates, *rows.T, **method(name))
            best = np.argmin(rows[:, 0])
            axes.plot(rates[best], rows[best, 0], "*", ms=12, mec="black", **_colour(name))
        axes.plot([], [], "k*", ms=12, label="best mean")
        axes.set(xscale="log", yscale="log", ylim=(0.03, 2e3), xlabel="learning rate")
        axes.set_title(f"digits, {net}: mean and 95 % of {seeds} seeds")
    panels[0].set_ylabel("validation loss / nats (NaN: 1000)")
    panels[0].legend(loc="upper left")
    return fig


def _colour(name: str) -> dict[str, str]:
    return {"color": method(name)["color"]}
