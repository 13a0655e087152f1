"""Does cutting the rate make the loss jump?

A sudden cut improves the performance at once (001:34), as in the residual network's schedule: 0.1,
divided by 10 at updates 32k and 48k of 64k (002:531-539). ResNet-8 of width 8, CIFAR-10 averaged to
16 x 16 (digits where it is not prepared), batches of 32, momentum 0.9, L2 1e-4, no augmentation;
1280 updates in 32 windows of 40, cut after windows 16 and 24; against it 0.1 and 0.01 throughout
and the cosine from 0.1 to 0, on the same weights and batches. C-048: from the window before a cut
to the one after it the training loss falls, and so does the mean validation error of three windows'
ends; at the first cut by more than at the constant 0.1, whose run is the same up to there. C-052:
smaller test error at the end than the better constant rate (by validation loss). F-055: the fall is
more than 3 standard deviations of the changes among the eight windows before it.

Command: python -m experiments --only does_cutting_the_rate_make_the_loss_jump    (CPU, about 7 min)
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

from experiments import lab
from experiments.engine import COLOURS, band, data_name, figure, interval
from experiments.engine.before import Verdict, combine, paired
from jaxtricks import models, optimizers, schedules, training

FIGURES = ("F-055",)
CLAIMS = ("C-048", "C-052")
TIER = 2

RATE = 0.1
ARMS = {"/10 at 1/2, 3/4": COLOURS[0], "constant 0.1": COLOURS[5], "constant 0.01": COLOURS[1]}
ARMS |= {"cosine": COLOURS[2]}
CUTS, CONSTANT, LOW, COSINE = ARMS
WINDOWS, BLOCKS = 32, 5  # of a run, and of each window
CUT_AT = {"first": WINDOWS // 2, "second": 3 * WINDOWS // 4}


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: images; `steps`: a multiple of 160, the number of blocks; `halve`: the images.

    `depth`: of the residual network; 0 stands for a 16-10 net, because a residual one takes
    seconds to compile.
    """

    count: int = 10_000
    steps: int = 1280
    depth: int = 8
    width: int = 8
    batch: int = 32
    halve: bool = True
    seeds: int = 5


SMOKE = Config(count=300, steps=160, depth=0, seeds=2)
FULL = Config(count=50_000, steps=64_000, depth=20, width=16, batch=128, halve=False)


def run(config: Config) -> dict[str, Any]:
    """Of every arm and seed, `[arm, seed, ...]`: means of blocks, validation, and test."""
    fit, held_back, test, name = lab.split(
        "cifar10", config.count, validation=0.1, halve=config.halve
    )
    tables = np.asarray(rate_tables(config.steps))
    keys = jnp.tile(jax.random.split(jax.random.key(0), config.seeds), len(tables))
    found = training.train_population(
        trainer(config.depth, config.width, config.batch), keys,
        np.repeat(tables, config.seeds, axis=0), shared=(fit, held_back, test),
    )  # fmt: skip
    shape = (len(tables), config.seeds)
    results = {key: values.reshape(*shape, *values.shape[1:]) for key, values in found.items()}
    return {"data_set": name, "steps": config.steps, "depth": config.depth, **results}


@functools.partial(jax.jit, static_argnums=0)
def rate_tables(steps: int) -> jax.Array:
    """The rate of every update, `[arm, update]`, in the order of `ARMS`."""
    rates = (
        schedules.multistep_decay(RATE, (steps // 2, 3 * steps // 4)),
        schedules.constant(RATE),
        schedules.constant(RATE / 10),
        schedules.cosine_decay(RATE, steps),
    )
    counts = jnp.arange(steps)
    return jnp.stack([jnp.broadcast_to(jax.vmap(rate)(counts), (steps,)) for rate in rates])


@functools.cache
def trainer(depth: int, width: int, batch: int) -> Callable:
    """The function that trains the network once, with a rate for every update."""
    model = models.ResNet(depth, width) if depth else models.MLP((16, 10))

    def train(
        key: jax.Array,
        rates: jax.Array,
        fit: lab.Examples,
        held_back: lab.Examples,
        test: lab.Examples,
    ) -> dict[str, Any]:
        init_key, order_key = jax.random.split(key)
        momentum = optimizers.momentum(lambda count: rates[count], decay=0.9)
        tx = optax.chain(optimizers.add_l2(1e-4), momentum)
        ours = lab.trainer(model, tx)
        order = lab.order_of(order_key, len(fit["label"]), len(rates), batch)

        def look(state: training.TrainState, metrics: Any) -> tuple:
            return metrics, training.evaluate(ours, ours.variables(state), held_back, 500)

        state = ours.init(lab.first_variables(model, init_key, fit))
        state, (metrics, held) = lab.train_in_parts(
            ours, state, fit, order, key=key, parts=WINDOWS, look=look
        )
        blocks = {
            name: values.reshape(WINDOWS * BLOCKS, -1).mean(axis=1)
            for name, values in metrics.items()
        }
        final = training.evaluate(ours, ours.variables(state), test, 500)
        return {
            "loss": blocks["loss"],
            "error": 1 - blocks["accuracy"],
            "validation loss": held["loss"],
            "validation error": 1 - held["accuracy"],
            "test error": 1 - final["accuracy"],
        }

    return train


def windows(blocks: np.ndarray) -> np.ndarray:
    """Means of windows from those of blocks, along the last axis."""
    return blocks.reshape(*blocks.shape[:-1], WINDOWS, BLOCKS).mean(axis=-1)


def change(values: np.ndarray, at: int, width: int) -> np.ndarray:
    """Mean of `width` entries from `at` on, less that of those before it, along the last axis."""
    return values[..., at : at + width].mean(axis=-1) - values[..., at - width : at].mean(axis=-1)


def noise(values: np.ndarray, at: int) -> np.ndarray:
    """Standard deviation of the changes among the eight entries before `at`."""
    return np.diff(values[..., at - 8 : at], axis=-1).std(axis=-1, ddof=1)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The changes at both cuts, and the test error against the better constant rate."""
    loss, error = windows(results["loss"]), results["validation error"]
    parts, falls = [], []
    for name, at in CUT_AT.items():
        for metric, values, width in (("loss", loss, 1), ("validation error", error, 3)):
            changes = dict(zip(ARMS, change(values, at, width), strict=True))
            apart = changes[CUTS] - (changes[CONSTANT] if name == "first" else 0)
            text = f"{name} cut, {metric}" + (" less the constant's" if name == "first" else "")
            parts.append(paired("C-048", apart, text, claimed="negative"))
        for metric, values in (("loss", loss[0]), ("validation error", error[0])):
            each, mean = (-change(x, at, 1) / noise(x, at) for x in (values, values.mean(axis=0)))
            falls.append(f"{name}, {metric} {np.median(each):.1f}, {mean:.1f}")
    jump = combine("C-048", parts)
    text = (
        f"{jump.measured}; fall in standard deviations (median seed, mean curve): "
        f"{'; '.join(falls)}"
    )
    return [dataclasses.replace(jump, measured=text), end(results)]


def end(results: dict[str, Any]) -> Verdict:
    """C-052: test errors at the end."""
    test = dict(zip(ARMS, results["test error"], strict=True))
    held = dict(zip(ARMS, results["validation loss"][..., -1].mean(axis=1), strict=True))
    better = min((CONSTANT, LOW), key=held.__getitem__)
    words = ", ".join(f"{arm} {values.mean():.1%}" for arm, values in test.items())
    cosine = interval(test[COSINE] - test[CUTS])
    text = (
        f"{results['data_set']}, {results['steps']} updates, test error {words}; cosine less cuts "
        f"{cosine[0]:.4f} [{cosine[1]:.4f}, {cosine[2]:.4f}]; {better} less cuts"
    )
    return paired("C-052", test[better] - test[CUTS], text, claimed="positive")


def draw(results: dict[str, Any]) -> Figure:
    """Training and validation error over the run, and the loss about the first cut."""
    fig, (train, near, held) = figure(1, 3, width=5.4, height=4.6)
    steps = results["steps"]
    ends = steps // WINDOWS * (1 + np.arange(WINDOWS))
    blocks = steps / (WINDOWS * BLOCKS) * (0.5 + np.arange(WINDOWS * BLOCKS))
    close = np.abs(blocks - steps / 2) < 4 * steps / WINDOWS
    for i, (arm, colour) in enumerate(ARMS.items()):
        panels = [
            (train, ends - steps / WINDOWS / 2, 100 * windows(results["error"][i])),
            (held, ends, 100 * results["validation error"][i]),
        ]
        if arm in (CUTS, CONSTANT):
            panels.append((near, blocks[close], results["loss"][i][:, close]))
        for axes, x, values in panels:
            rows = np.array([interval(column) for column in values.T])
            band(axes, x, *rows.T, color=colour, label=arm)
    for axes, cuts in ((train, (0.5, 0.75)), (near, (0.5,)), (held, (0.5, 0.75))):
        for share in cuts:
            axes.axvline(share * steps, color="grey", ls=":", lw=1)
        axes.set_xlabel("update")
    model = f"ResNet-{results['depth']}" if results["depth"] else "net of 16 units"
    width, seeds = steps // WINDOWS, results["loss"].shape[1]
    name = data_name(results["data_set"])
    train.set(ylabel="training error / %", title=f"{name}, {model}: means of {width} updates")
    near.set(ylabel="training loss / nats")
    near.set_title(f"about the first cut: means of {width // BLOCKS} updates")
    held.set(ylabel="validation error / %", title=f"mean and 95 % of {seeds} seeds")
    train.legend(title="dotted: the cuts")
    return fig
