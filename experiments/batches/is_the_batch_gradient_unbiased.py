"""Is the gradient of a mini-batch a random variable about the full gradient?

001:111-115: the mean of the gradients over the data set becomes that over a batch, which follows a
distribution; 002:175-181 calls the path noisy. Logistic regression, digit above 4 or not (MNIST
averaged over 4 x 4 pixels; else digits), at the start. Every draw is the first B examples of a
reshuffled epoch (or B drawn with replacement). Bias: z = (mean - full gradient) / standard error of
every coordinate that varies; the largest |z| must be under its Bonferroni bound at 1 % over
coordinates and batch sizes. Variance: the mean square distance from the full gradient must be
s^2 / B (1 - B / N), s^2 the sum of the coordinates' sample variances over N examples; with
replacement s^2 / B (N - 1) / N; each within four of its standard errors, and exactly 0 (to
rounding) at B = N.

Command: python -m experiments --only is_the_batch_gradient_unbiased      (CPU, about 9 s)
"""

import dataclasses
import functools
from statistics import NormalDist
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, figure
from experiments.engine.before import Verdict, combine, exact
from experiments.momentum._images import small_digit_table
from jaxtricks import surfaces
from jaxtricks.data import epoch_order

FIGURES = ("F-020",)
CLAIMS = ("C-006",)

ORDERS = ("reshuffle", "with_replacement")
LAWS = {"reshuffle": r"$s^2/B\,(1 - B/N)$", "with_replacement": "$s^2/B$"}
PATHS = (1, 16, 256)  # and all


@dataclasses.dataclass(frozen=True)
class Config:
    """`count`: examples N, a batch size too; `steps`: of every path, at 1 / largest curvature."""

    count: int = 1024
    batch_sizes: tuple[int, ...] = (1, 4, 16, 64, 256, 512)
    draws: int = 10_000
    steps: int = 60


SMOKE = Config(count=64, batch_sizes=(1, 16, 32), draws=500, steps=10)
FULL = Config(count=10_000, batch_sizes=(1, 4, 16, 64, 256, 1024, 4096), draws=100_000)


def run(config: Config) -> dict[str, Any]:
    """Bias and spread of the batch gradient at every size, and four paths."""
    inputs, labels, name = small_digit_table(config.count)
    size = len(labels)
    batch_sizes = (*config.batch_sizes, size)
    paths = tuple(batch for batch in PATHS if batch < size) + (size,)
    measured = measure(inputs, labels, batch_sizes, config.draws)
    points = descend(inputs, labels, paths, config.steps)
    return {
        "data_set": name,
        "examples": size,
        "batch_sizes": batch_sizes,
        "draws": config.draws,
        **measured,
        "path_sizes": paths,
        "points": points,
        "steps": config.steps,
    }


def example_gradients(inputs: jax.Array, labels: jax.Array, theta: jax.Array) -> jax.Array:
    """Gradients of each example's logistic loss, `[example, coordinate]`."""

    def loss(theta: jax.Array, row: jax.Array, label: jax.Array) -> jax.Array:
        return surfaces.logistic_regression(row[None], label[None])(theta)

    return jax.vmap(jax.grad(loss), (None, 0, 0))(theta, inputs, labels)


@functools.partial(jax.jit, static_argnums=(2, 3))
def measure(
    inputs: jax.Array, labels: jax.Array, batch_sizes: tuple[int, ...], draws: int
) -> dict[str, Any]:
    """Per order: z of every coordinate, and the mean square distance with its standard error."""
    each = example_gradients(inputs, labels, jnp.zeros(inputs.shape[1]))
    full, size = jnp.mean(each, axis=0), len(labels)
    out: dict[str, Any] = {"variance": jnp.sum(jnp.var(each, axis=0, ddof=1))}
    for number, order in enumerate(ORDERS):

        def draw(key: jax.Array, order: Any = order) -> jax.Array:
            rows = epoch_order(key, size, size, order=order).indices[0]
            means = [jnp.mean(each[rows[:batch]], axis=0) for batch in batch_sizes]
            return jnp.stack([mean - full for mean in means])

        keys = jax.random.split(jax.random.key(number), draws)
        errors = jax.lax.map(draw, keys, batch_size=50)  # [draw, batch size, coordinate]
        distance = jnp.sum(errors**2, axis=-1)
        deviation = jnp.std(errors, axis=0, ddof=1)
        standard_error = jnp.where(deviation > 1e-6, deviation, jnp.inf) / jnp.sqrt(draws)
        out[order] = {
            "z": jnp.mean(errors, axis=0) / standard_error,
            "distance": jnp.mean(distance, axis=0),
            "distance_error": jnp.std(distance, axis=0, ddof=1) / jnp.sqrt(draws),
            "along": (errors @ (full / jnp.linalg.norm(full))).T[:, :2000],
        }
    return out


@functools.partial(jax.jit, static_argnums=(2, 3))
def descend(
    inputs: jax.Array, labels: jax.Array, batch_sizes: tuple[int, ...], steps: int
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

        keys = jax.random.split(jax.random.key(2), steps)
        return jnp.concatenate([start[None], jax.lax.scan(update, start, keys)[1]])

    paths = jnp.stack([path(batch) for batch in batch_sizes])
    way = paths[-1, -1] / jnp.linalg.norm(paths[-1, -1])
    each = example_gradients(inputs, labels, start)
    across = each - jnp.mean(each, axis=0, keepdims=True)
    across = across - jnp.outer(across @ way, way)
    return paths @ jnp.stack([way, jnp.linalg.svd(across, full_matrices=False)[2][0]], axis=1)


def law(results: dict[str, Any], order: str) -> np.ndarray:
    """The predicted mean square distance at every batch size."""
    sizes, examples = results["batch_sizes"], results["examples"]
    if order == "reshuffle":
        return results["variance"] / sizes * (1 - sizes / examples)
    return results["variance"] / sizes * (examples - 1) / examples


def judge(results: dict[str, Any]) -> list[Verdict]:
    """No bias and the law of the variance, in both orders; nothing random at B = N."""
    parts = []
    for order in ORDERS:
        found, expected = results[order], law(results, order)
        random = expected > 0
        z = np.abs(found["z"][random])
        bound = NormalDist().inv_cdf(1 - 0.01 / (2 * z.size))
        parts.append(
            exact(
                "C-006",
                z.max() < bound,
                f"{order}: largest |z| of the bias {z.max():.2f} over {z.size} numbers "
                f"(bound {bound:.2f}, rms {np.sqrt(np.mean(z[z > 0] ** 2)):.2f})",
            )
        )
        off = (found["distance"] - expected)[random] / found["distance_error"][random]
        ratio = (found["distance"][random] / expected[random]) - 1
        parts.append(
            exact(
                "C-006",
                np.abs(off).max() < 4,
                f"{order}: variance within {np.abs(ratio).max():.1%} of the law, "
                f"{np.abs(off).max():.1f} standard errors",
            )
        )
    rest = results["reshuffle"]["distance"][-1] / results["variance"]
    parts.append(exact("C-006", rest < 1e-9, f"all examples: {rest:.1e} s^2 is left"))
    verdict = combine("C-006", parts)
    text = f"{results['data_set']}, {results['draws']:.0f} draws: {verdict.measured}"
    return [dataclasses.replace(verdict, measured=text)]


def draw(results: dict[str, Any]) -> Figure:
    """Four paths, the distribution of one coordinate, the law of the variance, and the bias."""
    fig, (above, spread, variance, bias) = figure(1, 4, width=3.9, height=3.5)
    for i, (size, points) in enumerate(zip(results["path_sizes"], results["points"], strict=True)):
        label = "all" if size == results["examples"] else f"B = {size:.0f}"
        above.plot(*points.T, ".-", ms=3, lw=0.9, color=COLOURS[i], label=label, zorder=2 + i)
    above.plot(0, 0, "o", mfc="white", mec="black", ms=7, zorder=9, label="start")
    above.set(
        xlabel="along the way of all examples", ylabel="along the widest noise",
        title=f"{results['data_set']}: {results['steps']:.0f} updates at one rate",
    )  # fmt: skip
    above.legend(fontsize=7)
    sizes = results["batch_sizes"]
    along = results["reshuffle"]["along"]
    for i, (size, values) in enumerate(list(zip(sizes, along, strict=True))[:-1]):
        scaled = values * np.sqrt(size)
        bins = np.linspace(-3, 3, 41) * along[0].std()
        spread.hist(
            scaled, bins, density=True, histtype="step", color=COLOURS[i], label=f"B = {size:.0f}"
        )
    spread.set(
        xlabel=r"$\sqrt{B}$ (batch - full gradient)", ylabel="density",
        title="noise along the full gradient",
    )  # fmt: skip
    spread.legend(fontsize=7)
    draw_variance(variance, results)
    top = NormalDist().inv_cdf(1 - 0.01 / (2 * results["reshuffle"]["z"].size))
    z = results["reshuffle"]["z"][:-1]
    for i, (size, values) in enumerate(zip(sizes[:-1], z, strict=True)):
        bias.plot(np.full(len(values), size), values, ".", color=COLOURS[i], alpha=0.5)
    for level in (-top, top):
        bias.axhline(level, color="black", ls="--", lw=1)
    bias.set_xscale("log", base=2)
    bias.set(
        xlabel="batch size B", ylabel="z of each coordinate", ylim=(-1.3 * top, 1.3 * top),
        title="bias (dashed: Bonferroni, 1 %)",
    )  # fmt: skip
    return fig


def draw_variance(axes: Axes, results: dict[str, Any]) -> None:
    """Mean square distance against batch size, with the laws."""
    sizes, examples = results["batch_sizes"], results["examples"]
    for i, order in enumerate(ORDERS):
        shown = law(results, order) > 0
        found = results[order]["distance"]
        name = order.replace("_", " ")
        axes.loglog(sizes[shown], found[shown], "os"[i], ms=5, color=COLOURS[i], label=name)
        dense = np.geomspace(1, examples * 0.98, 200)
        curve = law({**results, "batch_sizes": dense}, order)
        axes.plot(dense, curve, "-", lw=1, color=COLOURS[i], label=LAWS[order])
    axes.set(
        xlabel="batch size B", ylabel="mean square distance",
        title=f"N = {examples:.0f}, {results['draws']:.0f} draws",
    )  # fmt: skip
    axes.legend(fontsize=7)
