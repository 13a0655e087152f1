"""Is the gradient of a mini-batch a random variable about the full gradient?

001:111-115 puts the mean of a batch's gradients in the place of that of the whole data set, and
says that it follows a distribution; 002:175-181 calls the path noisy. The model is logistic
regression at its start: is the digit above 4? Every draw is the first B examples of a reshuffled
epoch. C-006 is judged at every B: the bias, the distance of the mean over all draws from the full
gradient, must be under 5 % of the full gradient's length; the mean square distance of one draw must
be s^2 / B (1 - B / N) to 5 %, s^2 being the sum of the coordinates' sample variances over the N
examples; and at B = N nothing random may be left. The bias is squared, its square estimated without
bias (products of different draws only) in ten blocks of draws, and the interval is over the blocks.
As a control a bias of 10 % is planted, which must be found.

Command: python -m experiments --only is_the_batch_gradient_unbiased      (CPU, about 20 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    Estimate,
    Gate,
    Plan,
    Verdict,
    all_of,
    data_name,
    exactly,
    figure,
    mean,
    ordered,
    tolerance,
)
from experiments.lab.digit_table import small_digit_table
from jaxtricks import surfaces
from jaxtricks.data import epoch_order

FIGURES = ("F-020",)
CLAIMS = ("C-006",)
TIER = 2


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: examples N, a batch size too; `steps`: of every path, at 1 / largest curvature.

    `paths`: batch sizes of the paths, beside N. The `draws` come in so many `blocks`, over which
    the intervals are; `planted`: the control's bias, over the length of the full gradient.
    """

    count: int = 512
    batch_sizes: tuple[int, ...] = (1, 4, 16, 64, 256)
    draws: int = 100_000
    blocks: int = 10
    planted: float = 0.1
    steps: int = 60
    paths: tuple[int, ...] = (1, 16, 256)
    seed: int = 15_006


PLANS = {
    "C-006": Plan(
        effects={"bias": 0.05, "variance": 0.05, "left at B = N": 1e-9},
        gates=("pos",),
        settings={"blocks": Config.blocks, "planted": Config.planted},
    )
}
SMOKE = Config(count=64, batch_sizes=(1, 16, 32), draws=500, steps=10)
FULL = Config(count=10_000, batch_sizes=(1, 4, 16, 64, 256, 1024, 4096))


def run(config: Config) -> dict[str, Any]:
    """Bias and spread of the batch gradient at every size, and four paths."""
    inputs, labels, name = small_digit_table(config.count)
    size = len(labels)
    batch_sizes = (*config.batch_sizes, size)
    paths = tuple(batch for batch in config.paths if batch < size) + (size,)
    draw_key, path_key = jax.random.split(jax.random.key(config.seed))
    return {
        "data_set": name,
        "examples": size,
        "parameters": inputs.shape[1],
        "batch_sizes": batch_sizes,
        "draws": config.draws,
        "planted bias": config.planted,
        **measure(draw_key, inputs, labels, batch_sizes, config),
        "path_sizes": paths,
        "points": descend(path_key, inputs, labels, paths, config.steps),
        "steps": config.steps,
    }


def example_gradients(inputs: jax.Array, labels: jax.Array, theta: jax.Array) -> jax.Array:
    """Gradients of each example's logistic loss, `[example, coordinate]`."""

    def loss(theta: jax.Array, row: jax.Array, label: jax.Array) -> jax.Array:
        return surfaces.logistic_regression(row[None], label[None])(theta)

    return jax.vmap(jax.grad(loss), (None, 0, 0))(theta, inputs, labels)


@functools.partial(jax.jit, static_argnums=(3, 4))
def measure(
    key: jax.Array,
    inputs: jax.Array,
    labels: jax.Array,
    batch_sizes: tuple[int, ...],
    config: Config,
) -> dict[str, Any]:
    """Per `[block, batch size]`: squared bias, the same with one planted, mean square distance."""
    each = example_gradients(inputs, labels, jnp.zeros(inputs.shape[1]))
    full, size = jnp.mean(each, axis=0), len(labels)

    def errors(key: jax.Array) -> jax.Array:
        rows = epoch_order(key, size, size).indices[0]
        return jnp.stack([jnp.mean(each[rows[:batch]], axis=0) - full for batch in batch_sizes])

    def block(key: jax.Array) -> dict[str, jax.Array]:
        drawn = jax.lax.map(
            errors, jax.random.split(key, config.draws // config.blocks), batch_size=50
        )
        return {
            "bias": squared_mean(drawn),
            "planted": squared_mean(drawn + config.planted * full[None, None]),
            "distance": jnp.mean(jnp.sum(drawn**2, axis=-1), axis=0),
        }

    return {
        "variance": jnp.sum(jnp.var(each, axis=0, ddof=1)),
        "full": jnp.linalg.norm(full),
        **jax.lax.map(block, jax.random.split(key, config.blocks)),
    }


def squared_mean(drawn: jax.Array) -> jax.Array:
    """The squared length of the true mean of draws `[draw, ..., coordinate]`, unbiased."""
    total, draws = jnp.sum(drawn, axis=0), len(drawn)
    products = jnp.sum(total**2, axis=-1) - jnp.sum(drawn**2, axis=(0, -1))
    return products / (draws * (draws - 1))


@functools.partial(jax.jit, static_argnums=(3, 4))
def descend(
    key: jax.Array, inputs: jax.Array, labels: jax.Array, batch_sizes: tuple[int, ...], steps: int
) -> jax.Array:
    """Paths `[batch size, step, 2]` in the plane of the full path's way and the widest noise."""
    size, start = len(labels), jnp.zeros(inputs.shape[1])
    rate = 4.0 / jnp.linalg.eigvalsh(inputs.T @ inputs / size)[-1]

    def path(batch: int) -> jax.Array:
        def update(theta: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
            rows = epoch_order(key, size, size).indices[0][:batch]
            loss = surfaces.logistic_regression(inputs[rows], labels[rows])
            theta = theta - rate * jax.grad(loss)(theta)
            return theta, theta

        keys = jax.random.split(key, steps)
        return jnp.concatenate([start[None], jax.lax.scan(update, start, keys)[1]])

    paths = jnp.stack([path(batch) for batch in batch_sizes])
    way = paths[-1, -1] / jnp.linalg.norm(paths[-1, -1])
    each = example_gradients(inputs, labels, start)
    across = each - jnp.mean(each, axis=0, keepdims=True)
    across = across - jnp.outer(across @ way, way)
    return paths @ jnp.stack([way, jnp.linalg.svd(across, full_matrices=False)[2][0]], axis=1)


def law(results: dict[str, Any]) -> np.ndarray:
    """The predicted mean square distance at every batch size."""
    sizes = results["batch_sizes"]
    return results["variance"] / sizes * (1 - sizes / results["examples"])


def lengths(results: dict[str, Any], name: str) -> list[Estimate]:
    """The bias over the full gradient's length at every B under N."""
    squares = results[name][:, :-1] / results["full"] ** 2
    return [root(mean(column)) for column in squares.T]


def root(square: Estimate) -> Estimate:
    """Of a number that cannot be negative, from an estimate of its square that may be."""
    value, low, high = np.sqrt(np.maximum([square.value, square.low, square.high], 0))
    return Estimate(
        float(value),
        float(low),
        float(high),
        square.n,
        lambda bound: square.below(bound**2) if bound > 0 else 1.0,
        lambda bound: square.above(bound**2) if bound > 0 else 0.0,
    )


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Bias and variance at every B under N, and what is left at B = N."""
    effects, sizes = PLANS["C-006"].effects, results["batch_sizes"]
    left = results["distance"][:, -1].max() / results["variance"]
    over_law = results["distance"][:, :-1] / law(results)[None, :-1]
    planted = lengths(results, "planted")
    lowest = min(planted, key=lambda found: found.low)
    parts = [
        tolerance(
            "bias over the length of the full gradient",
            lengths(results, "bias"),
            within=effects["bias"],
            panel="c",
        ),
        tolerance(
            "variance over its law",
            [mean(column) for column in over_law.T],
            within=effects["variance"],
            target=1.0,
            panel="d",
        ),
        tolerance(
            "variance left at B = N over that of one example",
            [exactly(left)],
            within=effects["left at B = N"],
        ),
    ]
    gate = Gate(
        "pos",
        lowest.low > effects["bias"],
        f"a planted bias of {results['planted bias']:g} is measured as {lowest.value:.3f} "
        f"[{lowest.low:.3f}, {lowest.high:.3f}] at the batch size where least is sure",
    )
    blocks = len(results["bias"])
    scope = (
        f"{data_name(results['data_set'])}, {results['examples']:.0f} images, logistic regression "
        f"at its start ({results['parameters']:.0f} parameters), {len(sizes)} batch sizes from "
        f"{sizes[0]:.0f} to N without replacement, {blocks} blocks of "
        f"{results['draws'] / blocks:,.0f} draws, float32"
    )
    return [all_of("C-006", parts, scope=scope, gates=[gate])]


def draw(results: dict[str, Any]) -> Figure:
    """Four paths, those of batches again from near, the bias at every size, and the variance."""
    fig, (above, near, bias, variance) = figure(2, 2, width=7.0, height=4.2)
    draw_paths(above, results)
    draw_paths(near, results, least=2)
    draw_bias(bias, results)
    sizes, examples = results["batch_sizes"], results["examples"]
    dense = np.geomspace(1, examples * 0.98, 200)
    expected = law({**results, "batch_sizes": dense})
    variance.loglog(dense, expected, color=COLOURS[0], label=r"law: $s^2/B\,(1 - B/N)$")
    found = results["distance"][:, :-1].mean(axis=0)
    variance.loglog(sizes[:-1], found, "o", color=COLOURS[0], label="batches as drawn")
    variance.set(ylabel="mean square distance from the full", title="Variance (it is 0 at B = N)")
    variance.legend(loc="lower left")
    for axes in (bias, variance):
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [f"{size:.0f}" for size in sizes])
        axes.set_xlabel("batch size B")
    return fig


def draw_paths(axes: Axes, results: dict[str, Any], *, least: int = 1) -> None:
    """From above, the smallest batches below; only those of `least` examples and more."""
    paths = zip(results["path_sizes"], results["points"], strict=True)
    for i, (size, points) in enumerate((s, p) for s, p in paths if s >= least):
        everything = size == results["examples"]
        label = "all" if everything else f"B = {size:.0f}"
        colour = "black" if everything else ordered("batch size", size)
        axes.plot(*points.T, ".-", ms=4, lw=1, color=colour, label=label, zorder=2 + i)
    axes.plot(0, 0, "o", mfc="white", mec="black", ms=8, zorder=9, label="start")
    axes.set(xlabel="weights along the way of all", ylabel="weights along the widest noise")
    name, examples = data_name(results["data_set"]), results["examples"]
    told = f"{name}, N = {examples:.0f}: {results['steps']:.0f} updates at one rate"
    axes.set_title(told if least == 1 else "The same without B = 1")
    axes.legend()


def draw_bias(axes: Axes, results: dict[str, Any]) -> None:
    """The bias as it is and with one planted, and what is still called none."""
    planted = f"with {100 * results['planted bias']:.0f} % planted"
    labels = {"planted": planted, "bias": "batches as drawn"}
    for i, (name, label) in enumerate(labels.items()):
        found = lengths(results, name)
        values, lows, highs = 100 * np.array([[e.value, e.low, e.high] for e in found]).T
        bars = np.array([values - lows, highs - values])
        look = {"color": ("grey", COLOURS[0])[i], "fmt": "Do"[i], "capsize": 4, "label": label}
        axes.errorbar(results["batch_sizes"][:-1], values, bars, **look)
    allowed = 100 * PLANS["C-006"].effects["bias"]
    axes.axhline(allowed, color="black", ls="--", lw=1, label=f"none: under {allowed:.0f} %")
    axes.set(ylabel="bias / length of the full gradient, %", ylim=(-0.4, 17))
    axes.set_title(f"Bias of {results['draws']:,.0f} draws, with 95 %")
    axes.legend(loc="upper right")
