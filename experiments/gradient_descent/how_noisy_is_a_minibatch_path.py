"""How noisy is the path of mini-batch gradient descent?

The lecture's stochastic descent takes one example after another (000:112-116) and is noisy
(002:177). Measured: the length of the path over the distance it leads, for batches of B of 64
examples; and, for B = 1, how far the last points of an epoch scatter about the optimum, against the
rate.

Command: python -m experiments --only how_noisy_is_a_minibatch_path      (CPU, about 3 s)
"""

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    draw_path,
    draw_surface,
    figure,
    interval,
    paired,
    surface_grid,
)
from experiments.lab.scenes import LINE_RATE, LINE_START, LINE_VIEW, line_fit
from jaxtricks import optimizers, surfaces
from jaxtricks.data import epoch_order

FIGURES = ("F-012",)
CLAIMS = ("C-008",)
ORDERS: tuple[Literal["cyclic", "reshuffle", "with_replacement"], ...] = (
    "cyclic",
    "reshuffle",
    "with_replacement",
)


@dataclasses.dataclass(frozen=True)
class Config:
    """Each path has `steps` updates from `start`, an intercept and a slope, at `rate`, whatever B.

    At each of `rates` there are `ends` descents of `epochs`, by one example at a time.
    """

    seed: int = 15_008
    seeds: int = 20
    batch_sizes: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    steps: int = 256
    rates: tuple[float, ...] = (0.005, 0.01, 0.02, 0.04, 0.08)
    epochs: int = 40
    ends: int = 200
    start: tuple[float, float] = LINE_START
    rate: float = LINE_RATE


SMOKE = Config(seeds=5, batch_sizes=(1, 8, 64), steps=64, rates=(0.01, 0.04), epochs=15, ends=20)
FULL = Config(seeds=200, epochs=100, ends=1000)
PLANS = {
    "C-008": Plan(
        effects={"path over displacement": 0.05, "full batch's at most": 1.1},
        gates=("full batch",),
        settings={"examples": 64, "rate": Config.rate},
    )
}


def run(config: Config) -> dict[str, Any]:
    """The lecture's two paths, path lengths for each batch size, scatter for each rate."""
    measured = jax.jit(measure, static_argnums=1)(config.seed, config)
    return {
        "grid": surface_grid(line, LINE_VIEW),
        **measured,
        "rate": config.rate,
        "steps": config.steps,
        "batch_sizes": config.batch_sizes,
        "rates": config.rates,
        "ends": config.ends,
    }


def line(theta: jax.Array) -> jax.Array:
    """The loss on all examples."""
    return surfaces.least_squares(*map(jnp.asarray, line_fit()))(theta)


def measure(seed: jax.Array, config: Config) -> dict[str, Any]:
    """All that is computed."""
    inputs, targets = map(jnp.asarray, line_fit())
    surface = surfaces.least_squares(inputs, targets)
    start = jnp.array(config.start, inputs.dtype)
    rule = optimizers.gradient_descent(config.rate)
    size = len(targets)
    paths_key, ends_key = jax.random.split(jax.random.key(seed))
    keys = jax.random.split(paths_key, config.seeds)

    def ratio(key: jax.Array, batch_size: jax.Array) -> jax.Array:
        """Batches of `batch_size` different examples; 64 of 64 is the full gradient."""

        def loss(key: jax.Array, theta: jax.Array) -> jax.Array:
            chosen = jax.random.permutation(key, size) < batch_size
            return surfaces.least_squares(inputs, targets, weights=chosen.astype(float)).loss(theta)

        points = surfaces.trajectory(rule, loss, start, config.steps, key=key).points
        length = jnp.sum(jnp.linalg.norm(jnp.diff(points, axis=0), axis=1))
        return length / jnp.linalg.norm(points[-1] - points[0])

    ratios = jax.vmap(jax.vmap(ratio, (None, 0)), (0, None))
    return {
        "batch_path": surfaces.trajectory(rule, surface, start, size).points,
        "single_path": follow(jnp.arange(size)[:, None], jnp.asarray(config.rate), start),
        "optimum": surface.optimum,
        "ratios": ratios(keys, jnp.array(config.batch_sizes)),
        "distances": distances(surface.optimum, ends_key, config),
    }


def follow(rows: jax.Array, rate: jax.Array, start: jax.Array) -> jax.Array:
    """Points of the descent that takes the examples of one row of `rows` at a time."""
    inputs, targets = map(jnp.asarray, line_fit())
    rule = optimizers.gradient_descent(rate)

    def step(carry: Any, row: jax.Array) -> tuple[Any, jax.Array]:
        theta, state = carry
        gradient = jax.grad(surfaces.least_squares(inputs[row], targets[row]).loss)(theta)
        updates, state = rule.update(gradient, state, theta)
        return (theta + updates, state), theta + updates

    _, points = jax.lax.scan(step, (start, rule.init(start)), rows)
    return jnp.concatenate([start[None], points])


def distances(optimum: jax.Array, key: jax.Array, config: Config) -> dict[str, jax.Array]:
    """Root mean square, over the descents, of the distance from the optimum after the last epoch:
    for each order and rate."""
    keys = jax.random.split(key, config.ends)
    rows = jax.vmap(lambda key: orders(key, config.epochs))(keys)

    def one(rows: jax.Array, rate: jax.Array) -> jax.Array:
        return jnp.linalg.norm(follow(rows, rate, optimum)[-1] - optimum)

    per_rate = jax.vmap(one, (None, 0))
    measured = jax.vmap(jax.vmap(per_rate, (0, None)), (1, None))(rows, jnp.array(config.rates))
    return dict(zip(ORDERS, jnp.sqrt(jnp.mean(measured**2, axis=1)), strict=True))


def orders(key: jax.Array, epochs: int) -> jax.Array:
    """Rows of all epochs, in each of the three orders; the key shuffles a cyclic one once."""
    size = len(line_fit()[1])
    keys = jax.vmap(lambda epoch: jax.random.fold_in(key, epoch))(jnp.arange(epochs))
    shuffled, drawn = (
        jax.vmap(lambda key, kind=kind: epoch_order(key, size, 1, order=kind).indices)(keys)
        for kind in ORDERS[1:]
    )
    cyclic = jnp.broadcast_to(shuffled[:1], shuffled.shape)
    return jnp.stack([cyclic, shuffled, drawn]).reshape(3, -1, 1)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if every batch size under 64 leads a longer way than 64 does, paired by seed."""
    plan = PLANS["C-008"]
    sizes, ratios = results["batch_sizes"], results["ratios"]
    full = float(ratios[:, -1].max())
    parts = [
        paired(
            f"path length over displacement at B = {size:.0f}, minus the full batch's",
            ratios[:, i] - ratios[:, -1],
            effect=plan.effects["path over displacement"],
            claimed="up",
            panel="b",
        )
        for i, size in enumerate(sizes[:-1])
    ]
    gate = Gate(
        "full batch",
        full < plan.effects["full batch's at most"],
        f"path length over displacement of the full batch is {full:.3f}",
    )
    scope = (
        "linear regression of 2 weights on 64 made examples, "
        f"{results['steps']:.0f} updates at rate {results['rate']}, batches of B different "
        "examples, float32"
    )
    return [all_of("C-008", parts, gates=[gate], scope=scope)]


def draw(results: dict[str, Any]) -> Figure:
    """Both paths on the contour, length against batch size, scatter against rate."""
    fig, (above, lengths, scatter) = figure(1, 3, width=5.2, height=4.5)
    draw_surface(
        above,
        results["grid"],
        start=results["batch_path"][0],
        optimum=results["optimum"],
        names=(r"intercept $\theta_0$", r"slope $\theta_1$"),
    )
    single = results["single_path"]
    above.plot(
        *single.T, ".-", color=COLOURS[0], lw=0.8, ms=4, label="one example a step", zorder=4
    )
    draw_path(above, results["batch_path"], "gradient descent", label="all 64 examples a step")
    above.set_title(f"64 steps each, rate {results['rate']}")
    above.legend(loc="lower left")
    sizes = results["batch_sizes"]
    means, lows, highs = np.array([interval(column) for column in results["ratios"].T]).T
    lengths.errorbar(
        sizes, means, [means - lows, highs - means], fmt="o-", color=COLOURS[0], capsize=3
    )
    lengths.set_xscale("log", base=2)
    lengths.set_xticks(sizes, [f"{size:.0f}" for size in sizes])
    lengths.set(xlabel="batch size B of 64 examples", ylabel="path length / displacement")
    lengths.set_title(
        f"{results['steps']:.0f} steps, mean and 95 % of {len(results['ratios'])} seeds"
    )
    draw_scatter(scatter, results)
    return fig


def draw_scatter(axes: Axes, results: dict[str, Any]) -> None:
    """Root mean square distance at the end, with the fitted exponents."""
    rates = results["rates"]
    names = ("same order each epoch", "reshuffled each epoch", "with replacement")
    for order, name, colour, marker in zip(ORDERS, names, COLOURS, "os^", strict=False):
        ends = results["distances"][order]
        exponent = np.polyfit(np.log(rates), np.log(ends), 1)[0]
        label = rf"{name}: $\propto \alpha^{{{exponent:.2f}}}$"
        axes.loglog(rates, ends, marker + "-", color=colour, label=label)
    axes.set(xlabel=r"learning rate $\alpha$", ylabel="rms distance from the optimum")
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.minorticks_off()
    axes.set_yticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
    axes.set_ylim(top=axes.get_ylim()[1] * 8)
    axes.set_title(f"after an epoch of single examples, {results['ends']:.0f} runs")
    axes.legend(loc="upper left")
