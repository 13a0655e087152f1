"""What does it cost to forget evaluation mode?

001:94: without it units are "still dropped with probability 0.5" at validation, and "the
performance falls a little". The network of 001:79 (784, 200 and 200 units, dropout at 0.5 in front
of each ReLU) is trained on MNIST without dropout, with the drop rates 0.2, 0.5 and 0.8, with batch
norm, and with both; and so is a small convolutional network, on images averaged to 14 x 14. Each
is then tested in evaluation mode and in training mode, in batches of 100 images. C-069 is judged on
the lecture's own network: accuracy must fall, and by less than 5 points; without dropout and batch
norm nothing may change. The other networks show how much it depends on rate, kind and batch norm
(E-91).

Command: python -m experiments --only does_forgetting_evaluation_mode_hurt      (CPU, about 15 min)
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    data_name,
    figure,
    finish,
    interval,
    paired,
    under,
)
from jaxtricks import models, training
from jaxtricks.models import HiddenLayer
from jaxtricks.normalization import BatchNorm
from jaxtricks.regularizers import Dropout

CLAIMS = ("C-069",)
ERRATA = ("E-91",)
TIER = 3

LARGEST = 5.0  # points that are still "a little"
TESTED = 100  # images of a test batch, whose statistics batch norm takes in training mode
JUDGED, STEEPER, CONTROL = "MLP, dropout 0.5", "MLP, dropout 0.8", "MLP"
ARMS = {
    CONTROL: (0.0, False),
    "MLP, dropout 0.2": (0.2, False),
    JUDGED: (0.5, False),
    STEEPER: (0.8, False),
    "MLP, batch norm": (0.0, True),
    "MLP, both": (0.5, True),
    "CNN": (0.0, False),
    "CNN, dropout 0.5": (0.5, False),
    "CNN, batch norm": (0.0, True),
    "CNN, both": (0.5, True),
}
PLANS = {
    "C-069": Plan(
        effects={"points": 0.1, "a little": LARGEST},
        gates=("no dropout",),
        settings={"net": JUDGED, "rate": 0.5, "test batch": TESTED},
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`pool`: training images; `features`: channels of the convolutions, `dense`: units behind
    them."""

    data_set: str = "mnist"
    pool: int = 20_000
    hidden: tuple[int, ...] = (200, 200)
    features: tuple[int, int] = (16, 32)
    dense: int = 64
    epochs: int = 10
    batch: int = 100
    rate: float = 0.05
    nets: tuple[str, ...] = tuple(ARMS)
    seed: int = 46_069
    seeds: int = 10


SMOKE = Config(
    data_set="digits", pool=400, hidden=(8, 8), epochs=1, seeds=2, nets=(CONTROL, JUDGED, STEEPER)
)
FULL = Config(pool=55_000, epochs=50, seeds=20)


def run(config: Config, trials: Path) -> dict[str, Any]:
    """Accuracies in both modes `[seed]`, by network."""
    large = lab.read(config.data_set, pool=config.pool, validation=1000, halve=False)
    small = lab.read(config.data_set, pool=config.pool, validation=1000)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)

    def train(name: str) -> dict[str, Any]:
        images = large if name.startswith("MLP") else small
        shared = (images.pool, batches(images.test))
        found = lab.over(learner(config, name), np.zeros(1), keys, shared)
        return {mode: accuracy[0] for mode, accuracy in found.items()}

    return {
        "data_set": large.name,
        "count": len(large.pool["label"]),
        "hidden": config.hidden,
        "epochs": config.epochs,
        "nets": finish(trials, {name: name for name in config.nets}, train),
    }


def batches(test: Any) -> dict[str, np.ndarray]:
    """The test set cut into equal batches `[batch, image]`; what is left over is left out."""
    count = len(test["label"]) // TESTED
    return {
        name: values[: count * TESTED].reshape(count, TESTED, *values.shape[1:])
        for name, values in test.items()
    }


def network(config: Config, name: str) -> nn.Module:
    """The model of an arm."""
    drop, norm = ARMS[name]
    if name.startswith("CNN"):
        options = {"hidden": config.dense, "dropout_rate": drop, "batch_norm": norm}
        return models.SmallCNN(config.features, **options)
    block = normalised if norm else plain
    return models.MLP((*config.hidden, 10), dropout_rates=drop, block=block)


def plain(hidden: HiddenLayer) -> tuple[Callable[..., Any], ...]:
    """As 001:79 has it: dense, dropout, ReLU."""
    return nn.Dense(hidden.features), Dropout(hidden.dropout_rate), hidden.activation


def normalised(hidden: HiddenLayer) -> tuple[Callable[..., Any], ...]:
    """The same with batch norm in front of the ReLU."""
    dense, drop, activation = plain(hidden)
    return dense, BatchNorm(), drop, activation


def learner(config: Config, name: str) -> Callable[..., dict[str, jax.Array]]:
    """Makes the run of one network: accuracies in percent in both modes."""
    net = network(config, name)

    def run(key: jax.Array, nothing: Any, pool: Any, test: Any) -> dict[str, jax.Array]:
        del nothing
        init_key, run_key, look_key = jax.random.split(key, 3)
        steps = config.epochs * (len(pool["label"]) // config.batch)
        rule = lab.momentum_to_zero(config.rate, steps=steps)
        ours = training.trainer(training.classification_loss(net), rule, diagnostics=False)
        start = lab.first_variables(net, init_key, pool)
        options = {"epochs": config.epochs, "batch": config.batch}
        state, _ = lab.train(ours, start, pool, key=run_key, **options)
        variables = ours.variables(state)

        def right(batch: Any) -> dict[str, jax.Array]:
            images, number = jnp.float32(batch["image"]) / 255, batch["number"]
            rngs = {"dropout": jax.random.fold_in(look_key, number)}
            options = {"train": True, "rngs": rngs, "mutable": ["batch_stats"]}
            modes = {
                "evaluation": net.apply(variables, images, train=False),
                "training": net.apply(variables, images, **options)[0],
            }
            label = batch["label"]
            return {
                mode: 100 * jnp.mean(jnp.argmax(logits, axis=-1) == label)
                for mode, logits in modes.items()
            }

        numbered = {**test, "number": jnp.arange(len(test["label"]))}
        return jax.tree.map(jnp.mean, jax.lax.map(right, numbered))

    return run


def lost(net: dict[str, np.ndarray]) -> np.ndarray:
    """Points of accuracy that training mode costs, by seed."""
    return np.asarray(net["evaluation"]) - np.asarray(net["training"])


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The lecture's network; the others are printed beside."""
    nets, effects = results["nets"], PLANS["C-069"].effects
    falls = lost(nets[JUDGED])
    text = "points of accuracy lost in training mode"
    parts = [
        paired(text, falls, effect=effects["points"], claimed="up"),
        under(text, falls, effects["a little"]),
    ]
    control = float(np.abs(lost(nets[CONTROL])).max())
    gates = [Gate("no dropout", control == 0, f"without dropout {control:g} points at most")]
    beside = [f"{name}: {interval_text(lost(nets[name]))}" for name in nets if name != JUDGED]
    scope = (
        f"{data_name(results['data_set'])}, {results['count']:.0f} images of 28 x 28 pixels "
        f"(digits 8 x 8), hidden layers of {' and '.join(f'{n:.0f}' for n in results['hidden'])}, "
        f"dropout 0.5 in front of each ReLU, momentum 0.9, {results['epochs']:.0f} epochs, float32"
    )
    steeper = lost(nets[STEEPER]) - falls
    size = paired(
        "points of accuracy lost in training mode, dropout at 0.8 minus 0.5",
        steeper,
        effect=effects["points"],
        claimed="up",
    )
    return [
        all_of("C-069", parts, scope=scope, gates=gates, beside=beside),
        all_of("E-91", [size], scope=scope, beside=beside),
    ]


def interval_text(values: np.ndarray) -> str:
    """A mean with its interval, in points."""
    if np.ptp(values) == 0:
        return f"{values[0]:g} points"
    mean, low, high = interval(values)
    return f"{mean:.2f} [{low:.2f}, {high:.2f}] points"


def draw(results: dict[str, Any]) -> Figure:
    """Points lost by every network, and the accuracies in both modes."""
    nets = results["nets"]
    fig, (left, right) = figure(1, 2, width=5.8, height=4.8, sharey=True)
    rows = range(len(nets))[::-1]
    for row, name in zip(rows, nets, strict=True):
        values = lost(nets[name])
        colour = COLOURS[1] if name.startswith("CNN") else COLOURS[0]
        left.plot(values, np.full(len(values), row), ".", color="0.6", ms=5)
        mean = float(values.mean())
        low, high = interval(values)[1:] if np.ptp(values) else (mean, mean)
        left.errorbar(
            mean, row, xerr=[[mean - low], [high - mean]], fmt="o", color=colour, capsize=4
        )
        for mode, marker, filled in (("evaluation", "o", colour), ("training", "o", "white")):
            accuracy = float(np.mean(nets[name][mode]))
            label = f"{mode} mode" if row == 0 else None
            right.plot(
                accuracy,
                row,
                marker,
                color=colour,
                markerfacecolor=filled,
                ms=8,
                ls="",
                label=label,
            )
    left.set_yticks(rows, nets)
    left.axvline(0, color="black", lw=0.8)
    left.axvline(LARGEST, color="black", lw=0.8, ls=":")
    left.set_xlabel("points of test accuracy lost in training mode")
    seeds = len(nets[JUDGED]["evaluation"])
    left.set_title(f"{data_name(results['data_set'])}, mean and 95 % of {seeds} seeds; dots: seeds")
    right.set_xlabel("test accuracy / %")
    right.set_title("Both modes, means")
    right.legend(loc="lower left")
    return fig
