"""Which regions does fractional max-pooling draw?

002:866-872 shows a random pooling size after Graham (2014). The regions are read off the layer's
own outputs: of an image whose pixels are numbered, the maximum of a region is its last pixel, and
of the negated numbers its first. Shown are two random draws, a pseudo-random one and the fixed
regions of evaluation, disjoint, on an 8 x 8 digit at the ratio sqrt(2); and the output sizes for
inputs of 4 to 64 rows, disjoint and overlapping, beside floor(rows / ratio).

Command: python -m experiments --only which_regions_does_fractional_pooling_draw
(CPU, about 6 s)
"""

import dataclasses
import functools
import math
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, Verdict, figure
from jaxtricks import data
from jaxtricks.regularizers import fractional_max_pool

FIGURES = ("F-071",)

DRAWS = {"random, draw 1": (1, False), "random, draw 2": (2, False),
         "pseudo-random": (6, True), "in evaluation": (None, True)}  # fmt: skip


KINDS = {"disjoint": False, "overlapping": True}


@dataclasses.dataclass(frozen=True)
class Config:
    """`largest`: number of rows of the largest input; `draws`: of regions that are measured.

    `ratio`: rows of the input to those of the output, over 1 and at most 2.
    """

    ratio: float = math.sqrt(2)
    largest: int = 64
    draws: int = 500


SMOKE = Config(largest=6, draws=2)
FULL = Config(largest=256, draws=10_000)


def run(config: Config) -> dict[str, Any]:
    """The regions of each draw, sizes of the output, and sizes of many regions."""
    digits = data.load("digits", limit=100, validation=0, test=None).train
    image = np.float32(digits["image"][np.argmax(digits["label"] == 8), ..., 0]) / 255
    pooled, shown, many = jax.device_get(pool(image, config))
    sizes = np.arange(4, config.largest + 1)
    side, heights = len(image), {}
    for name, ends in many.items():
        first, last = rows_and_columns(ends, side)
        heights[name] = np.unique(last[..., 0] - first[..., 0] + 1)
    found = {name: rows_and_columns(ends[0], side) for name, ends in shown.items()}
    return {
        "image": image,
        "draws": {name: {"first": first, "last": last} for name, (first, last) in found.items()},
        "pooled": pooled,
        "sizes": sizes,
        "outputs": {
            name: [rows_out(int(size), config.ratio, overlapping) for size in sizes]
            for name, overlapping in KINDS.items()
        },
        "heights": heights,
        "ratio": config.ratio,
    }


@functools.partial(jax.jit, static_argnames="config")
def pool(image: jax.Array, config: Config) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """The image pooled by the first draw, and the ends of regions: of each draw, of many draws."""
    side, ratio, draws = len(image), config.ratio, config.draws
    numbers = jnp.arange(side * side, dtype=jnp.float32).reshape(1, side, side, 1)
    both = jnp.concatenate([-numbers, numbers], axis=-1)  # channels share their regions

    def ends(key: Any, count: int, overlapping: bool, pseudo: bool) -> Any:
        images = jnp.broadcast_to(both, (count, side, side, 2))
        options = {"overlapping": overlapping, "pseudo_random": pseudo}
        return fractional_max_pool(key, images, ratio, **options)

    shown = {}
    for name, (seed, pseudo) in DRAWS.items():
        key = None if seed is None else jax.random.key(seed)
        shown[name] = ends(key, 1, False, pseudo)
    many = {
        name: jnp.concatenate(
            [ends(jax.random.key(4), draws, overlapping, pseudo) for pseudo in (False, True)]
        )
        for name, overlapping in KINDS.items()
    }
    seed, pseudo = DRAWS["random, draw 1"]
    options = {"overlapping": False, "pseudo_random": pseudo}
    pooled = fractional_max_pool(jax.random.key(seed), image[None, :, :, None], ratio, **options)
    return cast(Any, pooled)[0, :, :, 0], shown, many


def rows_and_columns(ends: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last row and column `[..., region row, region column, 2]` of every region."""
    first, last = np.moveaxis(np.abs(ends).astype(int), -1, 0)
    return np.stack(np.divmod(first, side), -1), np.stack(np.divmod(last, side), -1)


def rows_out(size: int, ratio: float, overlapping: bool) -> int:
    """Rows of the output, by the layer's own shape; nothing is computed."""
    image = jax.ShapeDtypeStruct((1, size, size, 1), jnp.float32)
    pool = functools.partial(fractional_max_pool, None, ratio=ratio, overlapping=overlapping)
    return jax.eval_shape(pool, image).shape[1]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """It owns a figure only; the tests hold the regions and sizes to what is claimed of them."""
    del results
    return []


def draw(results: dict[str, Any]) -> Figure:
    """Regions on the digit, four times, and the sizes that come out."""
    fig, (*grids, sizes, pooled) = figure(2, 3, width=4.4, height=4.4)
    for axes, name in zip(grids, DRAWS, strict=True):
        draw_regions(axes, results["image"], results["draws"][name])
        axes.set_title(name)
    draw_sizes(sizes, results)
    small = results["pooled"]
    pooled.imshow(small, cmap="Greys", vmin=0, vmax=1)
    pooled.set_title(f"pooled by draw 1: {len(small)} x {len(small)}")
    for axes in (*grids, pooled):
        axes.set(xlabel="column", ylabel="row")
        axes.grid(visible=False)
    return fig


def draw_regions(axes: Axes, image: np.ndarray, found: dict[str, np.ndarray]) -> None:
    """Lines in front of the first row and column of every region."""
    axes.imshow(image, cmap="Greys", vmin=0, vmax=1)
    side = len(image)
    for start in np.asarray(found["first"])[:, 0, 0]:
        axes.axhline(start - 0.5, color=COLOURS[1], lw=1.5)
    for start in np.asarray(found["first"])[0, :, 1]:
        axes.axvline(start - 0.5, color=COLOURS[1], lw=1.5)
    axes.set(xlim=(-0.6, side - 0.4), ylim=(side - 0.4, -0.6))


def draw_sizes(axes: Axes, results: dict[str, Any]) -> None:
    """Rows of the output beyond floor(rows / ratio)."""
    sizes, ratio = np.asarray(results["sizes"]), results["ratio"]
    for i, (name, values) in enumerate(results["outputs"].items()):
        heights = " or ".join(f"{height:.0f}" for height in results["heights"][name])
        beyond = values - np.floor(sizes / ratio)
        label = f"{name}: regions of {heights} rows"
        axes.plot(sizes, beyond - 0.1 * i, "os"[i], ms=4, color=COLOURS[i], label=label)
    axes.set(xlabel="rows of the input", ylim=(-0.5, 1.9), yticks=(0, 1))
    axes.set_ylabel(rf"rows of the output $-\,\lfloor$rows / {ratio:.4g}$\rfloor$")
    axes.set_title(f"sizes at the ratio {ratio:.4g}")
    axes.legend(loc="upper left")
