"""Does an output of batch norm depend on its batch, and which variance makes deviations 1?

004:514 says that there is no batch at test (E-133); there may be one, but an output must not depend
on it. One example goes through the layer alone and in batches of 8 and 64, with the stored
statistics and, but for the batch of one, which has no variance, with the batch's own.

004:485 divides by a deviation sigma_P that is defined nowhere (E-126); with the mini-batch variance
sigma_B of 004:483 the outputs of a 4 x 2 batch have deviation 1.

Command: python -m experiments --only does_an_output_depend_on_its_test_batch      (CPU, about 2 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.engine import LITERAL, RIGHT, Verdict, demonstration, figure
from jaxtricks.normalization import BatchNorm

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-126", "E-133")
BATCH = np.array([[1.0, 10.0], [2.0, 30.0], [3.0, 20.0], [6.0, 40.0]], np.float32)
EPS = 1e-12
SIZES = (1, 8, 64)


@dataclasses.dataclass(frozen=True)
class Config:
    """`features` of an example."""

    features: int = 16
    seed: int = 0


SMOKE = Config(features=4)
FULL = Config(features=256)


def run(config: Config) -> dict[str, Any]:
    """The first example's outputs in each batch, and the deviations of the small batch."""
    layer = BatchNorm()
    examples = 3 + 2 * jax.random.normal(jax.random.key(config.seed), (max(SIZES), config.features))
    variables = layer.init(jax.random.key(0), examples, train=False)
    _, stored = layer.apply(variables, examples, train=True, mutable=["batch_stats"])
    variables = {**variables, **stored}

    def first(size: int, train: bool) -> jax.Array:
        if train:
            found, _ = layer.apply(variables, examples[:size], train=True, mutable=["batch_stats"])
        else:
            found = layer.apply(variables, examples[:size], train=False)
        return found[0]

    normalised, _ = BatchNorm(eps=EPS).init_with_output(
        jax.random.key(0), jnp.asarray(BATCH), train=True
    )
    return {
        "stored": jnp.stack([first(size, False) for size in SIZES]),
        "own": jnp.stack([first(size, True) for size in SIZES[1:]]),
        "deviations": jnp.std(normalised, axis=0),
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-126 if the deviations are 1 to 1e-5; E-133 if stored statistics give one output in all
    batches, to 1e-6, and the batch's own do not."""
    stored, own = (np.abs(np.diff(results[key], axis=0)).max() for key in ("stored", "own"))
    deviations = results["deviations"]
    return [
        demonstration(
            "E-126",
            bool(np.allclose(deviations, 1, atol=1e-5)),
            f"divided by the root of the mini-batch variance, both features have deviation "
            f"{deviations[0]:.5f} and {deviations[1]:.5f}; sigma_P is defined nowhere",
        ),
        demonstration(
            "E-133",
            bool(stored < 1e-6 < own),
            f"alone and in batches of {SIZES[1]} and {SIZES[2]} an output differs by at most "
            f"{stored:.1g} with stored statistics, in the two batches by {own:.2g} with their own",
            panel="a and b",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """One example's outputs in the batches of each size, against those alone."""
    fig, panels = figure(1, 2, width=5.5, height=4.4)
    titles = ("stored statistics", "the batch's own statistics")
    for axes, key, title in zip(panels, ("stored", "own"), titles, strict=True):
        axes.axhline(0, color="grey", lw=1, zorder=0)
        for size, values in zip(SIZES[-len(results[key]) :], results[key], strict=True):
            look = {"color": RIGHT if key == "stored" else LITERAL, "ls": "none"}
            marker = {1: "o", 8: "x", 64: "+"}[size]
            axes.plot(values, marker=marker, ms=9, mfc="none", label=f"batch of {size}", **look)
        axes.set(xlabel="feature", ylabel="output of the layer", title=title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.margins(y=0.22)
        axes.legend(loc="upper center", ncols=3, columnspacing=1.2, handletextpad=0.2)
    return fig
