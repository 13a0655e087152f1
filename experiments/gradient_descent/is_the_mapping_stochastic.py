"""What is random in stochastic gradient descent?

The lecture (000:95-97, 001:109-113) sets a deterministic mapping x -> f(x) against a stochastic
one, x -> f(x) ~ N(0, x), and says that "stochastic" means "not random, it follows a distribution,
not really uniform". Read as a variance, x must not be negative. In SGD the indices of the examples
are uniform; what follows a distribution is the mini-batch gradient, whose mean is the full
gradient.

Command: python -m experiments --only is_the_mapping_stochastic      (CPU, about 2 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, LITERAL, RIGHT, Verdict, demonstration, figure
from experiments.lab.scenes import LINE_START, line_fit
from jaxtricks import surfaces
from jaxtricks.data import epoch_order

FIGURES = ("F-010",)
ERRATA = ("E-88",)


@dataclasses.dataclass(frozen=True)
class Config:
    """There are `draws` outputs at each of `inputs`, and about as many mini-batches of `batch_size`
    examples; their gradients are those at `start`, an intercept and a slope.
    """

    seed: int = 15_088
    inputs: tuple[float, ...] = (-1.0, -0.5, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
    draws: int = 20_000
    batch_size: int = 8
    start: tuple[float, float] = LINE_START


SMOKE = Config(draws=2000)
FULL = Config(draws=500_000)
NON_FINITE = ("outputs", "variances")


def run(config: Config) -> dict[str, Any]:
    """Outputs of both mappings, and the gradients of mini-batches at one point."""
    outputs, order, gradients, full = map(
        np.asarray, jax.jit(measure, static_argnums=1)(config.seed, config)
    )
    counts, edges = np.histogram(gradients, bins=50)
    return {
        "inputs": config.inputs,
        "outputs": outputs[:150],
        "variances": np.var(outputs, axis=0),
        "draws": config.draws,
        "index_counts": np.bincount(order.ravel(), minlength=len(line_fit()[1])),
        "batch_size": config.batch_size,
        "gradient_mean": gradients.mean(),
        "gradient_deviation": gradients.std(),
        "batches": len(gradients),
        "full_gradient": full,
        "histogram": {"counts": counts, "edges": edges},
    }


def measure(seed: jax.Array, config: Config) -> tuple[jax.Array, ...]:
    """Outputs by [draw, input]; the mini-batches, their gradients of the slope, the full one."""
    outputs_key, order_key = jax.random.split(jax.random.key(seed))
    x = jnp.array(config.inputs)
    normal = jax.random.normal(outputs_key, (config.draws, len(config.inputs)))
    outputs = normal * jnp.sqrt(x)[None, :]
    inputs, targets = map(jnp.asarray, line_fit())
    size = len(targets)
    keys = jax.random.split(order_key, config.draws * config.batch_size // size)

    def batches(key: jax.Array) -> jax.Array:
        return epoch_order(key, size, config.batch_size, order="with_replacement").indices

    order = jax.vmap(batches)(keys).reshape(-1, config.batch_size)

    start = jnp.array(config.start, inputs.dtype)

    def slope_gradient(rows: jax.Array) -> jax.Array:
        errors = inputs[rows] @ start - targets[rows]
        return jnp.mean(errors * inputs[rows, 1])

    full = jax.grad(surfaces.least_squares(inputs, targets))(start)[1]
    return outputs, order, jax.vmap(slope_gradient)(order), full


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if N(0, x) fails only under 0, indices are uniform, the gradient is not biased.

    Each of the three statistics may be off by four of its standard errors.
    """
    x, variances = results["inputs"], results["variances"]
    fails = np.isnan(variances)
    worst = np.max(np.abs(variances / x - 1)[~fails]) / np.sqrt(2 / results["draws"])
    counts = results["index_counts"]
    chi_square = np.sum((counts - counts.mean()) ** 2) / counts.mean()
    uniform = (chi_square - (len(counts) - 1)) / np.sqrt(2 * (len(counts) - 1))
    error = results["gradient_deviation"] / np.sqrt(results["batches"])
    bias = (results["gradient_mean"] - results["full_gradient"]) / error
    holds = np.array_equal(fails, x < 0) and max(worst, abs(uniform), abs(bias)) < 4
    text = (
        f"with variance x the mapping is not a number at all {fails.sum()} inputs under 0; "
        f"{counts.sum():,.0f} batch indices are uniform (chi-square {chi_square:.0f}, "
        f"{len(counts) - 1} degrees of freedom); the mean gradient is {bias:.1f} standard errors "
        "off"
    )
    return [demonstration("E-88", bool(holds), text, panel="b and c")]


def draw(results: dict[str, Any]) -> Figure:
    """The deterministic mapping, the stochastic one, and the gradient of a mini-batch."""
    fig, (one, many, gradient) = figure(1, 3, width=5.0, height=4.4)
    x = np.linspace(0, 4, 400)
    one.plot(x, np.sqrt(x), color=RIGHT)
    one.plot(results["inputs"][2:], np.sqrt(results["inputs"][2:]), "o", color=RIGHT)
    one.set(xlabel="x", ylabel="f(x)", xlim=(-1.3, 4.3), ylim=(-6.5, 6.5))
    one.set_title(r"deterministic: $f(x) = \sqrt{x}$")
    draw_stochastic(many, results, x)
    histogram = results["histogram"]
    gradient.stairs(histogram["counts"], histogram["edges"], fill=True, color=COLOURS[0], alpha=0.5)
    label = f"full gradient {results['full_gradient']:.3f}"
    top = 0.72  # below the legend
    gradient.axvline(results["full_gradient"], 0, top, color="black", label=label)
    error = results["gradient_deviation"] / np.sqrt(results["batches"])
    mean = f"{results['gradient_mean']:.3f} ± {error:.3f}"
    label = f"mean of {results['batches']:,} batches\n{mean} (standard error)"
    gradient.axvline(results["gradient_mean"], 0, top, color=COLOURS[1], ls="--", label=label)
    gradient.set(xlabel=r"$\partial J / \partial \theta_1$ of a mini-batch", ylabel="mini-batches")
    gradient.set_ylim(0, 1.45 * histogram["counts"].max())
    gradient.set_title(f"SGD: batches of {results['batch_size']}, indices uniform")
    gradient.legend(loc="upper right")
    return fig


def draw_stochastic(axes: Axes, results: dict[str, Any], x: np.ndarray) -> None:
    """150 outputs at each input, with the law's envelope."""
    inputs, outputs = results["inputs"], results["outputs"]
    places = np.broadcast_to(inputs, outputs.shape)
    axes.plot(places.ravel(), outputs.ravel(), ".", ms=3, alpha=0.25, color=LITERAL)
    axes.plot(x, 2 * np.sqrt(x), "k--", lw=1, label=r"$\pm 2 \sqrt{x}$")
    axes.plot(x, -2 * np.sqrt(x), "k--", lw=1)
    axes.axvspan(-1.3, 0, color="grey", alpha=0.3, lw=0)
    axes.text(-0.65, 0, "x < 0: no variance", rotation=90, ha="center", va="center")
    axes.set(xlabel="x", ylabel="f(x)", xlim=(-1.3, 4.3), ylim=(-6.5, 6.5))
    axes.set_title(rf"$f(x) \sim N(0, x)$, {len(outputs)} draws an input")
    axes.legend(loc="upper left", bbox_to_anchor=(0.25, 1.0))
