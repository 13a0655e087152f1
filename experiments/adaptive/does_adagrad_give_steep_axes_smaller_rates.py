"""Does AdaGrad give steep directions a small learning rate and flat ones a large one?

The lecture shows it on the contour (002:385-389) and lists "slows the descent in steep regions,
speeds it up in flat ones" among AdaGrad's problems (004:216). Here: the effective rate
alpha / (sqrt(r) + eps) of both axes on the shared valley; its correlation with the curvature in 10
dimensions, on the axes and turned at random; and what it is good for: the mean steps to 1 % of the
start as the condition number grows, AdaGrad and gradient descent tuned on one grid of rates. The
control is a round bowl, whose curvatures are equal: the other problems' curvatures, as labels,
must have no correlation with its rates.

Command: python -m experiments --only does_adagrad_give_steep_axes_smaller_rates (CPU, about 3 s)
"""

import dataclasses
import math
from typing import Any

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
    demonstration,
    draw_path,
    draw_surface,
    figure,
    interval,
    method,
    paired,
    surface_grid,
)
from experiments.lab.scenes import RATES, VALLEY_START, ZIGZAG_RATE, rule, valley
from jaxtricks import surfaces
from jaxtricks.optimizers import effective_learning_rate

FIGURES = ("F-029",)
CLAIMS = ("C-027",)
ERRATA = ("E-68",)
TUNED = ("gradient descent", "adagrad")


@dataclasses.dataclass(frozen=True)
class Config:
    """On the valley both rules have `path_steps` updates from `start`, at `descent_rate` and at
    AdaGrad's `rate`.

    The correlations are those of `seeds` starts and rotations in `dimensions`, after `updates` at
    `rate`, with curvatures from 1 to `largest_curvature`; `controls` is the number of round bowls.
    In the tuning there are `rates` rates from `lowest` to `highest`, and `steps` updates at most to
    come within the share `tolerance` of the start's distance.
    """

    seed: int = 15_027
    tuning_seed: int = 1
    seeds: int = 20
    path_steps: int = 60
    start: tuple[float, float] = VALLEY_START
    descent_rate: float = ZIGZAG_RATE
    rate: float = RATES["adagrad"]
    dimensions: int = 10
    largest_curvature: float = 1000.0
    updates: int = 100
    controls: int = 400
    steps: int = 4000
    rates: int = 16
    lowest: float = 1e-4
    highest: float = 10.0
    tolerance: float = 0.01
    condition_numbers: tuple[float, ...] = (1.0, 10.0, 100.0, 1000.0)


SMOKE = Config(seeds=10, steps=300, rates=6, condition_numbers=(1.0, 30.0))
FULL = Config(seeds=100, steps=20_000, rates=31)
PLANS = {
    "C-027": Plan(
        effects={"correlation": 0.1},
        gates=("pos",),
        settings={
            "problem": "quadratics of 10 dimensions, curvatures 1 to 1000, normal starts",
            "updates": Config.updates,
            "rate": Config.rate,
            "control": "400 round bowls; curvatures as labels; mean correlation inside the effect",
        },
    )
}


def run(config: Config) -> dict[str, Any]:
    """The paths and their rates, the correlations, and the tuned number of steps."""
    return {
        "grid": surface_grid(valley()),
        **jax.jit(measure, static_argnums=2)(config.seed, config.tuning_seed, config),
        "condition_numbers": config.condition_numbers,
        "budget": config.steps,
        "rates": (config.descent_rate, config.rate),
        "tolerance": config.tolerance,
        "updates": config.updates,
    }


def measure(many_seed: jax.Array, tuning_seed: jax.Array, config: Config) -> dict[str, Any]:
    """All that is computed."""
    start = jnp.array(config.start)
    descent = surfaces.trajectory(
        rule("gradient descent", config.descent_rate), valley(), start, config.path_steps
    )
    path = surfaces.trajectory(rule("adagrad", config.rate), valley(), start, config.path_steps)
    rates = effective_learning_rate(config.rate, jnp.cumsum(path.gradients**2, axis=0))
    starts = jax.random.normal(jax.random.key(tuning_seed), (config.seeds // 2, 2))
    return {
        "paths": {"gradient descent": descent.points, "adagrad": path.points},
        "straightness": {
            "gradient descent": path_ratio(descent.points),
            "adagrad": path_ratio(path.points),
        },
        "effective": rates,
        "root_ratio": jnp.sqrt(
            jnp.sum(path.gradients[:, 1] ** 2) / jnp.sum(path.gradients[:, 0] ** 2)
        ),
        "many": in_many_dimensions(many_seed, config),
        "steps_to_tolerance": {name: tuned(name, starts, config) for name in TUNED},
    }


def path_ratio(points: jax.Array) -> jax.Array:
    """Length of the path over the distance from its start to its end."""
    length = jnp.sum(jnp.linalg.norm(jnp.diff(points, axis=0), axis=1))
    return length / jnp.linalg.norm(points[-1] - points[0])


def in_many_dimensions(seed: jax.Array, config: Config) -> dict[str, jax.Array]:
    """Rates along the Hessian's eigenvectors, these on the axes or turned at random."""
    size = config.dimensions
    curvatures = jnp.logspace(0, math.log10(config.largest_curvature), size)

    def one(start: jax.Array, basis: jax.Array, bowl: jax.Array) -> tuple[jax.Array, jax.Array]:
        path = surfaces.trajectory(
            rule("adagrad", config.rate),
            lambda x: 0.5 * jnp.sum(bowl * (basis.T @ x) ** 2),
            start,
            config.updates,
        )
        rates = effective_learning_rate(config.rate, jnp.sum(path.gradients**2, axis=0))
        along = jnp.sum(basis**2 * rates[:, None], axis=0)
        return along, jnp.corrcoef(jnp.log(curvatures), jnp.log(along))[0, 1]

    start_key, turn_key, control_key = jax.random.split(jax.random.key(seed), 3)
    starts = jax.random.normal(start_key, (config.seeds, size))
    bases = jnp.linalg.qr(jax.random.normal(turn_key, (config.seeds, size, size)))[0]
    both = jnp.stack([jnp.broadcast_to(jnp.eye(size), bases.shape), bases])
    rates, correlations = jax.vmap(jax.vmap(one, (0, 0, None)), (None, 0, None))(
        starts, both, curvatures
    )
    others = jax.random.normal(control_key, (config.controls, size))
    round_bowl = jax.vmap(one, (0, None, None))(others, jnp.eye(size), jnp.ones(size))[1]
    return {
        "curvatures": curvatures,
        "on_axes": rates[0, :20],
        "turned": rates[1, :20],
        "correlation": correlations[0],
        "turned_correlation": correlations[1],
        "round_correlation": round_bowl,
    }


def tuned(name: str, starts: jax.Array, config: Config) -> jax.Array:
    """Fewest steps, over the rates, after which the distance stays under a share of the start's;
    the mean over the starts, one number a condition number."""

    def needed(condition_number: jax.Array, rate: jax.Array, start: jax.Array) -> jax.Array:
        bowl = surfaces.quadratic(jnp.stack([jnp.ones([]), condition_number]))
        points = surfaces.trajectory(rule(name, rate), bowl.loss, start, config.steps).points
        outside = ~(jnp.linalg.norm(points, axis=1) < config.tolerance * jnp.linalg.norm(start))
        return jnp.max(jnp.where(outside, jnp.arange(1, config.steps + 2), 0))

    per_start = jax.vmap(needed, (None, None, 0))
    per_rate = jax.vmap(per_start, (None, 0, None))
    per_number = jax.vmap(per_rate, (0, None, None))
    rates = jnp.logspace(math.log10(config.lowest), math.log10(config.highest), config.rates)
    steps = per_number(jnp.array(config.condition_numbers), rates, starts)
    return jnp.min(jnp.mean(steps, axis=2), axis=1)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-027: the correlation is negative, on the axes and turned. E-68: at the largest condition
    number AdaGrad needs fewer than half of gradient descent's steps, so scaling is a benefit."""
    many, needed = results["many"], results["steps_to_tolerance"]
    descent, adagrad = needed["gradient descent"], needed["adagrad"]
    first, second = results["effective"][-1]
    return [
        all_of(
            "C-027",
            [
                paired(
                    f"correlation of log curvature and log effective rate, {words}",
                    many[key],
                    effect=PLANS["C-027"].effects["correlation"],
                    claimed="down",
                    panel="b",
                )
                for key, words in (
                    ("correlation", "axes aligned"),
                    ("turned_correlation", "turned at random"),
                )
            ],
            scope=f"quadratics of {many['curvatures'].size} dimensions, curvatures 1 to "
            f"{many['curvatures'][-1]:g}, normal starts, {results['updates']} updates of AdaGrad "
            f"at rate {results['rates'][1]}, float32",
            gates=[round_bowls(many["round_correlation"])],
            beside=[
                f"valley of condition number 20: the flat axis' rate is {first / second:.1f} times "
                "the steep one's"
            ],
        ),
        demonstration(
            "E-68",
            bool(adagrad[-1] < 0.5 * descent[-1]),
            f"At condition number {results['condition_numbers'][-1]:.0f} tuned gradient descent "
            f"needs {count(descent[-1], results)} steps and AdaGrad {count(adagrad[-1], results)}: "
            "the scaling is a benefit",
            panel="c",
        ),
    ]


def round_bowls(correlations: np.ndarray) -> Gate:
    """With equal curvatures, and the labels of the others, there must be no correlation."""
    mean, low, high = interval(correlations)
    effect = PLANS["C-027"].effects["correlation"]
    text = f"round bowls: {mean:.3f} [{low:.3f}, {high:.3f}], {len(correlations)} starts"
    return Gate("pos", bool(-effect < low and high < effect), text)


def count(steps: float, results: dict[str, Any]) -> str:
    """The number of steps, or that the budget was not enough."""
    return f"{steps:.0f}" if steps <= results["budget"] else f"over {results['budget']}"


def draw(results: dict[str, Any]) -> Figure:
    """From above; rates against curvature; what it is good for."""
    fig, (above, curvature, benefit) = figure(1, 3, width=5.4, height=4.8)
    start = results["paths"]["adagrad"][0]
    draw_surface(above, results["grid"], start=start, optimum=(0, 0), bar=False)
    for name, rate in zip(TUNED, results["rates"], strict=True):
        points = results["paths"][name]
        ratio = results["straightness"][name]
        draw_path(above, points, name, label=f"{name}, rate {rate}: {ratio:.2f} × straight")
    above.legend(*(row[2:] for row in above.get_legend_handles_labels()), loc="lower right")
    flat, steep = results["effective"][-1]
    above.set_title(f"AdaGrad's rate ends at {flat:.3f} along, {steep:.3f} across")
    draw_curvature(curvature, results["many"])
    for name in TUNED:
        benefit.loglog(
            results["condition_numbers"], results["steps_to_tolerance"][name], marker="o",
            **method(name),
        )  # fmt: skip
    benefit.set(xlabel="condition number")
    benefit.set_ylabel(f"steps to {100 * results['tolerance']:g} % of the start")
    starts = len(results["many"]["on_axes"]) // 2
    benefit.set_title(f"Both tuned, mean of {starts} starts")
    benefit.legend()
    return fig


def draw_curvature(axes: Axes, many: dict[str, Any]) -> None:
    """Effective rates along the eigenvectors, one dot a seed."""
    for key, colour, text in (
        ("on_axes", COLOURS[0], "axes aligned"),
        ("turned", COLOURS[1], "turned at random"),
    ):
        corr = many["correlation" if key == "on_axes" else "turned_correlation"].mean()
        axes.loglog(many["curvatures"], many[key].T, ".", ms=4, alpha=0.4, color=colour)
        axes.loglog(
            many["curvatures"], np.median(many[key], axis=0), color=colour,
            label=f"{text}: correlation {corr:.2f}",
        )  # fmt: skip
    axes.set(xlabel="curvature along the eigenvector", ylabel="effective rate")
    axes.set_title(
        f"{many['curvatures'].size} dimensions, {len(many['on_axes'])} seeds (line: median)"
    )
    axes.legend(loc="upper right")
    axes.set_ylim(top=10)
