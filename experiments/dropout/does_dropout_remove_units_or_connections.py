"""Does dropout remove units or connections?

000:34 and 001:77 say that each connection has a probability of being lost (E-71); the pictures
(000:38-42, 002:686-708) show units that are. One set of masks that our layers drew in training is
shown: the network without dropout, the one that dropout thinned, and the one that DropConnect
(002:851-857) thinned, all at the rate 0.5. What a mask does to the connections between two hidden
layers is a matrix: dropout's is the outer product of two masks of units, so whole rows and columns
are lost; DropConnect decides about each entry. E-71 is shown by the rank of both and their lost
rows, over 200 draws of two layers of 64 units.

Command: python -m experiments --only does_dropout_remove_units_or_connections
(CPU, about 6 s)
"""

import dataclasses
import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from experiments.engine import COLOURS, Verdict, demonstration, figure
from jaxtricks import models
from jaxtricks.regularizers import DropConnectDense, Dropout

FIGURES = ("F-008", "F-070")
ERRATA = ("E-71",)

RATE, SIZES = 0.5, (5, 5, 5, 3)  # of the lecture's picture: inputs, two hidden layers, outputs
NET = models.Sequential(
    [
        *(Dropout(RATE), nn.Dense(SIZES[1]), nn.relu),
        *(Dropout(RATE), nn.Dense(SIZES[2]), nn.relu),
        *(Dropout(RATE), nn.Dense(SIZES[3])),
    ]
)
CONNECTED = models.Sequential([DropConnectDense(size, RATE) for size in SIZES[1:]])


@dataclasses.dataclass(frozen=True)
class Config:
    """`units` of both layers whose masks are measured, `draws` of the masks."""

    units: int = 64
    draws: int = 200
    seed: int = 17_008


SMOKE = Config(units=8, draws=20)
FULL = Config(draws=10_000)


def run(config: Config) -> dict[str, Any]:
    """One draw of masks for the picture; rank, lost rows and lost entries of many."""
    key = jax.random.key(config.seed)
    wide = models.Sequential([Dropout(RATE), nn.Dense(config.units), Dropout(RATE)])
    single = models.Sequential([DropConnectDense(config.units, RATE)])
    keys = jax.random.split(jax.random.fold_in(key, 1), config.draws)
    units = jax.lax.map(functools.partial(drawn, wide, config.units), keys)
    entries = jax.lax.map(functools.partial(drawn, single, config.units), keys)
    single_masks = np.asarray(entries[0])
    products = np.asarray(units[0])[:, :, None] & np.asarray(units[1])[:, None, :]
    return {
        "units": drawn(NET, SIZES[0], key),
        "connections": drawn(CONNECTED, SIZES[0], key),
        "masks": {"dropout": products[0], "DropConnect": single_masks[0]},
        "measured": {
            "dropout": measured(products),
            "DropConnect": measured(single_masks),
        },
        "share": np.mean([1 - np.mean(layer) for layer in units]),
        "draws": config.draws,
        "width": config.units,
    }


@functools.partial(jax.jit, static_argnums=(0, 1))
def drawn(net: models.Sequential, inputs: int, key: jax.Array) -> list[jax.Array]:
    """The masks of one example that the layers sow in training, in order; True is kept."""
    x = jnp.ones((1, inputs))
    variables = net.init(key, x, train=False)
    _, sown = net.apply(variables, x, train=True, rngs={"dropout": key}, mutable=["masks"])
    return [layer["keep"][0][0] for _, layer in sorted(sown["masks"].items(), key=place)]


def place(item: tuple[str, Any]) -> int:
    """The number in a layer's name: `layers_10` comes behind `layers_2`."""
    return int(item[0].rpartition("_")[2])


def measured(masks: np.ndarray) -> dict[str, np.ndarray]:
    """Rank, and shares of lost rows and entries of every mask; how many rows lose 0, 1, 2 ..."""
    gone = np.sum(~masks, axis=2)
    return {
        "rows that lose": np.bincount(gone.ravel(), minlength=masks.shape[2] + 1),
        "rank": np.linalg.matrix_rank(masks.astype(np.float64)),
        "lost rows": 100 * np.mean(~masks.any(axis=2), axis=1),
        "lost": 100 * np.mean(~masks, axis=(1, 2)),
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-71 if dropout's mask of connections always has rank 1 with lost rows, and DropConnect's
    always a higher one."""
    units, entries = (results["measured"][name] for name in ("dropout", "DropConnect"))
    return [
        demonstration(
            "E-71",
            bool(units["rank"].max() <= 1 < entries["rank"].min() and units["lost rows"].min() > 0),
            f"of {results['draws']:.0f} masks of the connections between two layers of "
            f"{results['width']:.0f} units, those of dropout have rank {units['rank'].max():.0f} "
            f"and lose {units['lost rows'].mean():.0f} % of the rows and "
            f"{units['lost'].mean():.0f} % of the connections, those of DropConnect rank "
            f"{entries['rank'].min():.0f} or more, "
            f"{entries['lost rows'].mean():.0f} % and {entries['lost'].mean():.0f} %",
            panel="d and e",
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Three networks, two masks, and the ranks of many."""
    fig, (plain, thinned, connected, rows, entries, losses) = figure(2, 3, width=4.6, height=4.2)
    every = [np.ones(size, bool) for size in SIZES]
    outputs = every[-1]
    units = [np.asarray(mask, bool) for mask in results["units"]] + [outputs]
    whole = [np.ones(shape, bool) for shape in zip(SIZES, SIZES[1:], strict=False)]
    between = [np.logical_and.outer(a, b) for a, b in zip(units, units[1:], strict=False)]
    draw_net(plain, every, whole)
    plain.set_title("without dropout")
    draw_net(thinned, units, between)
    dead = sum(int(np.sum(~mask)) for mask in units[:-1])
    thinned.set_title(f"dropout: {dead} of {sum(SIZES[:-1])} units dropped")
    edges = [np.asarray(mask, bool) for mask in results["connections"]]
    draw_net(connected, every, edges)
    lost = sum(int(np.sum(~mask)) for mask in edges)
    connected.set_title(f"DropConnect: {lost} of {sum(mask.size for mask in edges)} lost")
    for axes, (name, mask) in zip((rows, entries), results["masks"].items(), strict=True):
        axes.imshow(mask, cmap="Blues", vmin=0, vmax=1.4, interpolation="nearest")
        rank = np.linalg.matrix_rank(np.asarray(mask, float))
        axes.set(xlabel="unit of the second layer", ylabel="unit of the first layer")
        axes.set_title(f"{name}: kept connections, rank {rank}")
        axes.grid(visible=False)
    draw_losses(losses, results)
    return fig


def draw_losses(axes: Axes, results: dict[str, Any]) -> None:
    """How many of its connections a unit of the first layer loses."""
    share = 100 * np.arange(results["width"] + 1) / results["width"]
    for i, (name, found) in enumerate(results["measured"].items()):
        counts = np.asarray(found["rows that lose"], float)
        look = {"color": COLOURS[i], "where": "mid", "label": name}
        axes.step(share, 100 * counts / counts.sum(), **look)
    axes.set(
        xlabel="connections that a unit loses, %",
        ylabel="units of the first layer, %",
        xlim=(-4, 104),
    )
    axes.set_title(f"{results['draws']:.0f} draws; {100 * results['share']:.1f} % of units dropped")
    axes.legend(loc="upper left")


def draw_net(axes: Axes, units: list[np.ndarray], edges: list[np.ndarray]) -> None:
    """Layers from below; kept connections as lines, dropped units with a cross."""
    spots = [np.stack([np.arange(len(row)) - (len(row) - 1) / 2, np.full(len(row), y)], axis=1)
             for y, row in enumerate(units)]  # fmt: skip
    for below, above, kept in zip(spots, spots[1:], edges, strict=False):
        lines = [(below[i], above[j]) for i, j in np.argwhere(kept)]
        axes.add_collection(LineCollection(lines, colors="grey", linewidths=0.8, zorder=1))
    for row, kept in zip(spots, units, strict=True):
        alive, dead = row[kept], row[~kept]
        axes.plot(*alive.T, "o", ms=15, mfc="white", mec=COLOURS[0], mew=2, zorder=2)
        axes.plot(*dead.T, "o", ms=15, mfc="white", mec="lightgrey", mew=2, zorder=2)
        axes.plot(*dead.T, "x", ms=11, color=COLOURS[1], mew=2, zorder=3)
    axes.set(xlim=(-2.6, 2.6), ylim=(-0.4, len(units) - 0.6), xticks=[])
    axes.set_yticks(range(len(units)), ["input", "hidden 1", "hidden 2", "output"])
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)
