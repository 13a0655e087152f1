"""Does ReduceLROnPlateau cut a training net's rate exactly at bad epoch patience + 1?

The lecture's plateau rule (001:36-45) on an MLP with 32 hidden units and a plateau planted in its
training: in the epochs from 6 to 29 no update is made, so the validation loss stands still to the
last bit. Gradient descent at rate 0.1, batches of 32; patience 3, 6 and 10 (PyTorch's default),
factor 0.1. The rates must be the planted ones, a cut at every (patience + 1)-th bad epoch, and
those of patience 10 the golden table that PyTorch itself made for a loss that stands still.

Command: python -m experiments --only does_the_rate_drop_on_a_planted_plateau      (CPU, about 7 s)
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import networks
from experiments.engine import COLOURS, LITERAL, band, figure, interval
from experiments.engine.before import Verdict
from jaxtricks import control, models, optimizers, training

FIGURES = ("F-005",)

# Made by PyTorch itself, with `python -m tests.golden.generate torch`; the first case is
# `ReduceLROnPlateau` as it comes (rate 0.1, patience 10), stepped with a loss of 1 forty times.
GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden" / "torch.json"
RATE, BATCH, HIDDEN = 0.1, 32, 32


@dataclasses.dataclass(frozen=True)
class Config:
    """`first`: epoch (from 0) with which the plateau begins; `length`: epochs that it lasts."""

    patiences: tuple[int, ...] = (3, 6, 10)
    first: int = 6
    length: int = 24
    epochs: int = 40
    count: int = 2500
    seeds: int = 5


SMOKE = Config(patiences=(3, 10), first=1, length=12, epochs=14, count=200, seeds=2)
FULL = Config(first=10, length=40, epochs=70, count=60_000, seeds=10)


def run(config: Config) -> dict[str, Any]:
    """Validation losses and the rates that follow them, `[patience, seed, epoch]`."""
    (fit, held, _), name = networks.read_images("mnist", config.count)
    patiences = np.repeat(np.int32(config.patiences), config.seeds)
    keys = jnp.tile(jax.random.split(jax.random.key(0), config.seeds), len(config.patiences))
    traces = training.train_population(
        trainer(config, -(-len(fit["label"]) // BATCH)), keys, patiences, shared=(fit, held)
    )
    shape = (len(config.patiences), config.seeds, config.epochs)
    golden = json.loads(GOLDEN.read_text())
    return {
        "data_set": name,
        "patiences": config.patiences,
        "first": config.first,
        "length": config.length,
        "torch": golden["versions"]["torch"],
        "golden": golden["plateaus"][0],
        **{key: values.reshape(shape) for key, values in traces.items()},
    }


def trainer(config: Config, steps: int) -> Any:
    """Makes `run(key, patience, fit, held)`, with `steps` updates an epoch."""
    model = models.MLP((HIDDEN, 10))
    planted = steps * jnp.array([config.first, config.first + config.length])

    def gate(count: jax.Array) -> jax.Array:
        return jnp.where((count >= planted[0]) & (count < planted[1]), 0.0, 1.0)

    # the planted 0 is a link of its own, so that the rate reported is the rule's
    tx = optax.chain(optimizers.gradient_descent(RATE), optax.scale_by_schedule(gate))
    ours = networks.trainer(model, tx)

    def one(
        key: jax.Array, patience: jax.Array, fit: networks.Examples, held: networks.Examples
    ) -> dict[str, jax.Array]:
        init_key, run_key = jax.random.split(key)
        state = ours.init(networks.first_variables(model, init_key, fit))
        ended = training.run(
            ours, state, fit, held, key=run_key,
            epochs=config.epochs, batch_size=BATCH, plateau=control.plateau(patience=patience),
        )  # fmt: skip
        return {"losses": ended.validation["loss"], "rates": ended.train["learning_rate"]}

    return one


def cut_epochs(patience: int, first: int, length: int) -> np.ndarray:
    """The epochs after which the rate must be smaller: each (patience + 1)-th of the plateau."""
    return np.arange(first + patience, first + length, patience + 1)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """It owns a figure only; the tests hold the rates to the closed form and to PyTorch's table."""
    del results
    return []


def draw(results: dict[str, Any]) -> Figure:
    """Validation loss above, rate below, for every patience."""
    patiences, first, length = (results[name] for name in ("patiences", "first", "length"))
    fig, axes = figure(2, len(patiences), width=4.2, height=2.6, sharex=True, sharey="row")
    for i, (patience, losses, rates) in enumerate(
        zip(patiences, results["losses"], results["rates"], strict=True)
    ):
        loss, rate = axes[i], axes[len(patiences) + i]
        epochs = np.arange(losses.shape[1])
        mean, low, high = np.array([interval(column) for column in losses.T]).T
        label = f"mean of {len(losses)} seeds, 95 %"
        band(loss, epochs, mean, low, high, color=COLOURS[0], label=label)
        loss.set_title(f"{results['data_set']}, patience {patience:.0f}")
        loss.legend(loc="upper right")
        draw_rates(rate, rates, cut_epochs(int(patience), int(first), int(length)), int(patience))
        for axis in (loss, rate):
            axis.axvspan(first - 0.5, first + length - 0.5, color="grey", alpha=0.15, lw=0)
    theirs = results["golden"][: int(length) + 1]
    label = f"PyTorch {results['torch']}, standing loss"
    axes[-1].plot(first + np.arange(len(theirs)), theirs, "x", color=LITERAL, ms=4, label=label)
    axes[-1].legend(loc="lower left")
    axes[0].set_ylabel("validation loss, nats\n(grey: planted plateau)")
    axes[len(patiences)].set_ylabel("learning rate")
    return fig


def draw_rates(axes: Axes, rates: np.ndarray, cuts: np.ndarray, patience: int) -> None:
    """Rate of every epoch and seed, and where the law puts the cuts."""
    axes.step(np.arange(rates.shape[1]), rates.T, where="mid", color=COLOURS[0], alpha=0.7)
    law = RATE * 0.1 ** np.arange(1, len(cuts) + 1)
    label = f"law: after each {patience + 1} bad epochs"
    axes.plot(cuts + 1, law, "o", color="black", mfc="none", ms=7, label=label)
    axes.plot([], [], color=COLOURS[0], label="rate used, each seed")
    axes.set(yscale="log", xlabel="epoch")
    axes.legend(loc="lower left")
