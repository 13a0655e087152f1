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

from experiments import lab
from experiments.engine import COLOURS, Verdict, band, data_name, figure, interval
from jaxtricks import control, models, optimizers, training

FIGURES = ("F-005",)

# Made by PyTorch itself, with `python -m tests.golden.generate torch`; the first case is
# `ReduceLROnPlateau` as it comes (rate 0.1, patience 10), stepped with a loss of 1 forty times.
GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden" / "torch.json"


@dataclasses.dataclass(frozen=True)
class Config:
    """`first`: epoch (from 0) with which the plateau begins; `length`: epochs that it lasts.

    `rate`, which every cut multiplies by `factor`, between 0 and 1; `batch`: examples of an update;
    `hidden`: units of the one hidden layer; `count`: images of MNIST.
    """

    patiences: tuple[int, ...] = (3, 6, 10)
    rate: float = 0.1
    factor: float = 0.1
    batch: int = 32
    hidden: int = 32
    first: int = 6
    length: int = 24
    epochs: int = 40
    count: int = 2500
    seeds: int = 5


SMOKE = Config(patiences=(3, 10), first=1, length=12, epochs=14, count=200, seeds=2)
FULL = Config(first=10, length=40, epochs=70, count=60_000, seeds=10)


def run(config: Config) -> dict[str, Any]:
    """Validation losses and the rates that follow them, `[patience, seed, epoch]`."""
    fit, held, _, name = lab.split("mnist", config.count)
    patiences = np.repeat(np.int32(config.patiences), config.seeds)
    keys = jnp.tile(jax.random.split(jax.random.key(0), config.seeds), len(config.patiences))
    traces = training.train_population(
        trainer(config, -(-len(fit["label"]) // config.batch)), keys, patiences, shared=(fit, held)
    )
    shape = (len(config.patiences), config.seeds, config.epochs)
    golden = json.loads(GOLDEN.read_text())
    return {
        "data_set": name,
        "patiences": config.patiences,
        "first": config.first,
        "length": config.length,
        "rate": config.rate,
        "factor": config.factor,
        "torch": golden["versions"]["torch"],
        "golden": golden["plateaus"][0],
        **{key: values.reshape(shape) for key, values in traces.items()},
    }


def trainer(config: Config, steps: int) -> Any:
    """Makes `run(key, patience, fit, held)`, with `steps` updates an epoch."""
    model = models.MLP((config.hidden, 10))
    planted = steps * jnp.array([config.first, config.first + config.length])

    def gate(count: jax.Array) -> jax.Array:
        return jnp.where((count >= planted[0]) & (count < planted[1]), 0.0, 1.0)

    # the planted 0 is a link of its own, so that the rate reported is the rule's
    tx = optax.chain(optimizers.gradient_descent(config.rate), optax.scale_by_schedule(gate))
    ours = lab.trainer(model, tx)

    def one(
        key: jax.Array, patience: jax.Array, fit: lab.Examples, held: lab.Examples
    ) -> dict[str, jax.Array]:
        init_key, run_key = jax.random.split(key)
        state = ours.init(lab.first_variables(model, init_key, fit))
        ended = training.run(
            ours, state, fit, held, key=run_key, epochs=config.epochs, batch_size=config.batch,
            plateau=control.plateau(config.factor, patience=patience),
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
    """Validation loss and rate of every patience, the law's cuts and PyTorch's own table."""
    patiences, first, length = (results[name] for name in ("patiences", "first", "length"))
    fig, (loss, rate) = figure(1, 2, width=5.8, height=4.4)
    for patience, losses, rates, colour, line in zip(
        patiences, results["losses"], results["rates"], COLOURS, ("-", "--", ":"), strict=False
    ):
        look = {"color": colour, "ls": line, "label": f"patience {patience:.0f}"}
        rows = np.array([interval(column) for column in losses.T])
        band(loss, np.arange(len(rows)), *rows.T, **look)
        cuts = cut_epochs(int(patience), int(first), int(length))
        law = results["rate"] * results["factor"] ** np.arange(1, len(cuts) + 1)
        draw_rates(rate, rates, cuts, law, look)
    theirs = results["golden"][: int(length) + 1]
    version = results["torch"].partition("+")[0]
    rate.plot(
        first + np.arange(len(theirs)), theirs, "x", color="black", ms=5, zorder=3,
        label=f"PyTorch {version}, patience 10",
    )  # fmt: skip
    rate.plot([], [], "o", color="black", mfc="none", label="cut due: bad epoch patience + 1")
    for axes in (loss, rate):
        axes.axvspan(first - 0.5, first + length - 0.5, color="grey", alpha=0.15, lw=0)
        axes.set_xlabel("epoch (grey: no updates)")
        axes.legend()
    seeds = results["losses"].shape[1]
    loss.set(ylabel="validation loss / nats", ylim=(0, None))
    loss.set_title(f"{data_name(results['data_set'])}, mean and 95 % of {seeds} seeds")
    rate.set(ylabel="learning rate", yscale="log", title="rate used, every seed")
    rate.legend(loc="lower left", handlelength=2.6)
    return fig


def draw_rates(
    axes: Axes, rates: np.ndarray, cuts: np.ndarray, law: np.ndarray, look: dict[str, Any]
) -> None:
    """Rate of every epoch and seed, and where the law puts the cuts."""
    epochs = np.arange(rates.shape[1])
    axes.step(epochs, rates[0], where="mid", **look)
    axes.step(epochs, rates[1:].T, where="mid", **look | {"label": None})
    axes.plot(cuts + 1, law, "o", color=look["color"], mfc="none", ms=8)
