"""Do hidden outputs drift in training, and does batch norm hold them still?

The lecture (004:445-462): even with standardised inputs, updates change the outputs of hidden
layers violently; batch norm makes them stable. The paper's network and its first figure: the 15th,
50th and 85th percentile of what the last layer's sigmoids are given, over SGD, for fixed test
images. With batch norm: behind scale and bias, by the running statistics, as in the test, and the
normalised values before them. Fixed before the run: a unit's drift is the standard deviation of its
median over time, over its mean spread (half of 85th minus 15th percentile); violent means over 1.
Added later, because the catalogue asks for mean and variance: the same of the spread itself, before
that number was looked at.

Command: python -m experiments --only do_hidden_outputs_drift
(CPU, about 30 s; MNIST halved in size where there is any, else digits)
"""

import dataclasses
import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import networks, races
from experiments.engine import figure, interval
from experiments.engine.before import Verdict, combine, paired
from experiments.normalization import _sigmoid_net as sigmoid_net
from experiments.normalization._sigmoid_net import ARMS, LOOKS, NORMED, PLAIN
from jaxtricks import data, models, optimizers, probes, training
from jaxtricks.normalization import BatchNorm

FIGURES = ("F-049",)
CLAIMS = ("C-103", "C-105")
TIER = 2

PERCENTILES = (15.0, 50.0, 85.0)
VIOLENT = 1.0


@dataclasses.dataclass(frozen=True)
class Config:
    """`looks` of `steps // looks` updates each, at `probes` test images."""

    data_set: str = "mnist"
    count: int = 5000
    hidden: tuple[int, ...] = (100, 100, 100)
    rate: float = 1.0
    steps: int = 3000
    looks: int = 60
    probes: int = 500
    seeds: int = 5


SMOKE = Config("digits", 200, hidden=(8, 8), steps=20, looks=4, probes=20, seeds=2)
FULL = Config(count=60_000, steps=50_000, looks=500, seeds=10)


def run(config: Config) -> dict[str, Any]:
    """Percentiles `[seed, look, percentile, unit]` of the last layer's pre-activations."""
    images = races.read(config.data_set, config.count)
    flat = images.fit["image"].reshape(len(images.fit["label"]), -1)
    fit = {**images.fit, "image": (scaling := data.standardize(flat)).apply(flat)}
    seen = scaling.apply(images.test["image"][: config.probes].reshape(-1, flat.shape[1]))
    keys = jax.random.split(jax.random.key(0), config.seeds)
    found = {}
    for arm in ARMS:
        one = functools.partial(watch, arm, config, fit, seen)
        found[arm] = jax.device_get(jax.jit(lambda keys, one=one: jax.lax.map(one, keys))(keys))
    return {"data_set": images.name, "steps": config.steps, "arms": found}


def watch(
    arm: str, config: Config, fit: networks.Examples, seen: np.ndarray, key: jax.Array
) -> dict[str, jax.Array]:
    """One run: percentiles of what the sigmoids are given, and of what the norm makes of it."""
    net = sigmoid_net.network(arm, {}, hidden=config.hidden)
    ours = networks.trainer(net, optimizers.gradient_descent(config.rate))
    init_key, order_key = jax.random.split(key)
    state = ours.init(networks.first_variables(net, init_key, fit))
    order = networks.order_of(order_key, len(fit["label"]), config.steps, races.BATCH)
    last = len(config.hidden) - 1

    def look(state: Any, rows: Any) -> tuple[Any, dict[str, jax.Array]]:
        given = pre_activations(net, ours.variables(state), jnp.asarray(seen), last)
        state, _ = training.train_epoch(ours, state, fit, rows, key=key)
        levels = jnp.array(PERCENTILES)
        return state, {n: jnp.percentile(x, levels, axis=0) for n, x in given.items()}

    parts = jax.tree.map(lambda x: x.reshape(config.looks, -1, races.BATCH), order)
    return jax.lax.scan(look, state, parts)[1]


def pre_activations(
    net: models.MLP, variables: Any, x: jax.Array, layer: int
) -> dict[str, jax.Array]:
    """What a layer's sigmoids are given, and the same without the norm's scale and bias."""
    kind = BatchNorm if "batch_stats" in variables else nn.Dense
    name = f"{kind.__name__}_{layer}"
    given = probes.layer_values(net, variables, x, train=False, layers=kind)[name]
    if kind is nn.Dense:
        return {"given": given}
    norm = variables["params"][name]
    # Where a unit's scale comes near 0, what it multiplies is found with little precision.
    return {"given": given, "normalised": (given - norm["bias"][None]) / norm["scale"][None]}


def drift(percentiles: np.ndarray) -> np.ndarray:
    """Of each seed, the mean over units."""
    low, middle, high = np.moveaxis(np.asarray(percentiles), 2, 0)
    spread = np.maximum((high - low).mean(axis=1) / 2, 1e-6)
    return (middle.std(axis=1) / spread).mean(axis=-1)


def unrest(percentiles: np.ndarray) -> np.ndarray:
    """Of each seed, the mean over units of the spread's deviation over time, over its mean."""
    low, _, high = np.moveaxis(np.asarray(percentiles), 2, 0)
    spread = (high - low) / 2
    return (spread.std(axis=1) / np.maximum(spread.mean(axis=1), 1e-6)).mean(axis=-1)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-103 if the plain network's drift is over 1; C-105 if the normalised values drift less, and
    their spread too."""
    arms = results["arms"]
    plain, given = drift(arms[PLAIN]["given"]), drift(arms[NORMED]["given"])
    normalised = drift(arms[NORMED]["normalised"])
    spreads = [unrest(arms[PLAIN]["given"]), unrest(arms[NORMED]["normalised"])]
    return [
        paired("C-103", plain - VIOLENT, f"drift {plain.mean():.2f} spreads, minus 1",
               claimed="positive"),
        combine("C-105", [
            paired("C-105", normalised - plain,
                   f"drift {normalised.mean():.2f} spreads normalised, {given.mean():.2f} with "
                   f"scale and bias, {plain.mean():.2f} without batch norm; normalised minus "
                   "without", claimed="negative"),
            paired("C-105", spreads[1] - spreads[0],
                   f"the spread changes by {spreads[1].mean():.2f} of itself normalised, "
                   f"{spreads[0].mean():.2f} without; difference", claimed="negative"),
        ]),
    ]  # fmt: skip


def draw(results: dict[str, Any]) -> Figure:
    """A typical unit's percentiles in the first seed, and every seed's drift."""
    fig, panels = figure(1, 3, width=4.2, height=3.5)
    for axes, arm in zip(panels, ARMS, strict=False):
        rows = np.asarray(results["arms"][arm]["given"][0])
        steps = np.arange(len(rows)) * results["steps"] / len(rows)
        middle = rows[:, 1].std(axis=0)
        unit = int(np.argsort(middle)[len(middle) // 2])  # the median drift of the medians
        for place, style in enumerate((":", "-", "--")):
            label = f"{PERCENTILES[place]:g}th percentile"
            look = {"color": LOOKS[arm]["color"], "linestyle": style, "label": label}
            axes.plot(steps, rows[:, place, unit], **look)
        axes.set(title=arm, xlabel="update", ylabel="input of a sigmoid of the last layer")
    panels[0].legend()
    bars = {PLAIN: ("given", PLAIN), "with scale and bias": ("given", NORMED)} | {
        "normalised": ("normalised", NORMED)
    }
    for place, (key, arm) in enumerate(bars.values()):
        values = drift(results["arms"][arm][key])
        mean, low, high = interval(values)
        colour = LOOKS[arm]["color"]
        panels[2].plot(np.full(len(values), place), values, ".", color=colour, alpha=0.6)
        error = [[mean - low], [high - mean]]
        panels[2].errorbar([place + 0.15], [mean], error, fmt="o", color=colour, capsize=4)
    panels[2].set_xticks(range(3), ["without\nbatch norm", "scale and\nbias", "normalised"])
    panels[2].set(title="drift of all units", ylabel="std of the median / spread")
    seeds = len(results["arms"][PLAIN]["given"])
    fig.suptitle(
        f"{results['data_set']}: left a unit of median drift in the first seed, right mean and "
        f"95 % of {seeds} seeds",
        fontsize=9,
    )
    return fig
