"""Which networks does dropout train, and what do they say together?

004:712-740 draws dropout as an ensemble: mini-batch i trains network i, some parameters are shared,
and the test takes all. The network has two hidden ReLU layers of 200 units, dropout of 0.5 behind
both with one mask for each mini-batch, and learns 1,000 MNIST images (digits where it is not
prepared): shown are the masks of the first four updates of such a run. The test errors are those of
the mean probabilities of k sampled networks (Monte-Carlo), of the one network with all units
(weight scaling), and of the same network trained without dropout.

Command: python -m experiments --only which_networks_does_dropout_train      (CPU, about 60 s)
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import lab
from experiments.engine import COLOURS, Verdict, band, data_name, figure, interval
from jaxtricks import models, training
from jaxtricks.averaging import monte_carlo_predictions
from jaxtricks.regularizers import Dropout

FIGURES = ("F-064",)
TIER = 2

RATE, BATCH, LEARNING_RATE, SHOWN = 0.5, 32, 0.03, 4


@dataclasses.dataclass(frozen=True)
class Config:
    """`width` of both layers; `samples`: numbers of sampled networks."""

    data_set: str = "mnist"
    count: int = 1000
    width: int = 200
    epochs: int = 80
    tested: int = 2000
    samples: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    seeds: int = 10
    seed: int = 17_064


SMOKE = Config("digits", count=200, width=16, epochs=1, tested=50, samples=(1, 2), seeds=2)
FULL = Config(count=50_000, tested=10_000, samples=(1, 2, 4, 8, 16, 32, 64, 128, 256))


def run(config: Config) -> dict[str, Any]:
    """Test errors of all three kinds, and the masks of the first updates of the first seed."""
    pool = max(10_000, config.count)
    images = lab.read(config.data_set, pool=pool, validation=1000, test=config.tested)
    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    rates = np.array([0.0, RATE], np.float32)
    count = min(config.count, len(images.pool["label"]))
    one = functools.partial(learned, config, count)
    found = lab.over(one, rates, keys, (images.pool, images.test))
    return {
        "data_set": images.name,
        "examples": count,
        "without": found["single"][0],
        "scaled": found["single"][1],
        "samples": config.samples,
        "sampled": found["sampled"][1],
        "masks": found["masks"][1, 0],
        "width": config.width,
        "epochs": config.epochs,
    }


def shared_block(hidden: models.HiddenLayer) -> tuple[Callable[..., jax.Array], ...]:
    """Dense, activation, dropout with one mask for the mini-batch."""
    dropout = Dropout(hidden.dropout_rate, mask_axes=(1,))
    return nn.Dense(hidden.features), hidden.activation, dropout


def learned(
    config: Config, count: int, key: jax.Array, rate: jax.Array, pool: Any, test: Any
) -> dict[str, Any]:
    """One run: test errors of one network and of the mean of k, and the masks of four updates."""
    net = models.MLP((config.width, config.width, 10), dropout_rates=rate, block=shared_block)
    set_key, init_key, train_key, sample_key = jax.random.split(key, 4)
    fit = lab.subset(set_key, pool, count)
    rule = lab.momentum_to_zero(LEARNING_RATE, steps=config.epochs * (count // BATCH))
    ours = lab.trainer(net, rule, ("dropout",))
    first = lab.first_variables(net, init_key, fit)
    state, _ = lab.train(ours, first, fit, key=train_key, epochs=config.epochs, batch=BATCH)
    last = ours.variables(state)
    images, labels = test["image"] / np.float32(255), test["label"]

    def apply(key: jax.Array, variables: Any, x: jax.Array) -> jax.Array:
        return net.apply(variables, x, train=True, rngs={"dropout": key})

    def sampled(samples: int) -> jax.Array:
        key = jax.random.fold_in(sample_key, samples)
        found = monte_carlo_predictions(key, apply, last, images, samples=samples)
        return error(found.arithmetic, labels)

    return {
        "single": error(net.apply(last, images, train=False), labels),
        "sampled": jnp.stack([sampled(samples) for samples in config.samples]),
        "masks": first_masks(net, first, fit, train_key),
    }


def error(scores: jax.Array, labels: jax.Array) -> jax.Array:
    return 100 * jnp.mean(jnp.argmax(scores, axis=1) != labels)


def first_masks(net: models.MLP, variables: Any, fit: Any, key: jax.Array) -> jax.Array:
    """The masks `[update, layer, unit]` that a run of `lab.train` with this key draws first.

    They depend on the key and the number of the update only, so four passes of one batch draw them.
    """
    loss = training.classification_loss(net)
    one_batch = {name: values[:BATCH] for name, values in fit.items()}
    images = one_batch["image"] / np.float32(255)

    def masks(variables: Any, keys: Any) -> dict[str, Any]:
        options = {"train": True, "rngs": keys, "mutable": ["masks"]}
        return net.apply(variables, images, **options)[1]

    def with_masks(params: Any, state: Any, batch: Any, keys: Any, *, train: bool) -> Any:
        losses, (_, metrics) = loss(params, {}, batch, keys, train=train)
        return losses, (masks({"params": params}, keys) if train else state, metrics)

    ours = training.trainer(with_masks, lab.momentum_to_zero(0.0, steps=1), diagnostics=False)
    start = {**variables, **masks(variables, {"dropout": key})}
    _, drawn = lab.train(
        ours, start, one_batch, key=key, epochs=SHOWN, batch=BATCH,
        look=lambda state: state.model_state["masks"],
    )  # fmt: skip
    return jnp.stack([layer["keep"][0][:, 0] for _, layer in sorted(drawn.items())], axis=1)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """It owns a figure only; what dropout gains as an ensemble is judged by C-080."""
    del results
    return []


def draw(results: dict[str, Any]) -> Figure:
    """Four masks of two layers, and the errors."""
    fig, (*updates, errors) = figure(1, 5, width=2.8, height=5.2,
                                     gridspec_kw={"width_ratios": (1, 1, 1, 1, 2.6)})  # fmt: skip
    for number, (axes, masks) in enumerate(zip(updates, results["masks"], strict=True), start=1):
        draw_masks(axes, np.asarray(masks, float))
        axes.set_title(f"update {number}")
    draw_errors(errors, results)
    return fig


def draw_masks(axes: Axes, masks: np.ndarray) -> None:
    """Both layers as blocks of units, one above the other; blue is kept."""
    units = masks.shape[1]
    across = max(n for n in range(1, int(units**0.5) + 1) if units % n == 0)
    blocks = masks.reshape(len(masks), -1, across)
    gap = np.full((1, across), np.nan)
    rows = [part for block in blocks for part in (block, gap)]
    axes.imshow(np.concatenate(rows[:-1]), cmap="Blues", vmin=0, vmax=1.4)
    length = blocks.shape[1]
    middles = [(length + 1) * layer + length / 2 - 0.5 for layer in range(len(masks))]
    axes.set_yticks(middles, ["layer 1", "layer 2"], rotation=90, va="center")
    axes.set(xticks=[], xlabel=f"{int(masks.sum())} of {masks.size}\nunits kept")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for side_line in axes.spines.values():
        side_line.set_visible(False)


def draw_errors(axes: Axes, results: dict[str, Any]) -> None:
    """The error of k sampled networks, and those of single ones as lines with their intervals."""
    samples = np.asarray(results["samples"])
    rows = np.array([interval(column) for column in np.asarray(results["sampled"]).T])
    label = "mean of k sampled networks"
    band(axes, samples, *rows.T, color=COLOURS[0], marker="o", label=label)
    singles = {"scaled": "dropout: one network with all units", "without": "without dropout"}
    for i, (name, label) in enumerate(singles.items(), start=1):
        found = np.array(interval(results[name]))
        each = np.repeat(found[:, None], len(samples), axis=1)
        told = f"{label}: {found[0]:.2f} [{found[1]:.2f}, {found[2]:.2f}]"
        band(axes, samples, *each, color=COLOURS[i], ls=("--", ":")[i - 1], label=told)
    axes.set_xscale("log", base=2)
    axes.set_xticks(samples, [f"{k:.0f}" for k in samples])
    low, high = axes.get_ylim()
    axes.set(xlabel="sampled networks, k", ylabel="test error, %")
    axes.set_ylim(low, high + 0.5 * (high - low))
    name = data_name(results["data_set"])
    seeds = len(results["scaled"])
    axes.set_title(f"{name}, {results['examples']:.0f} images")
    axes.legend(loc="upper right", title=f"mean and 95 % of {seeds} seeds", alignment="left")
