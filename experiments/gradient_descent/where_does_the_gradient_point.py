"""Where does a step of gradient descent point, and has every weight one rate?

The lecture (004:44-59) draws three steps from theta(1) to theta(4): compute the gradient, move
against it, repeat until it is about zero. Each step leaves its contour at a right angle. Of the
learning rate it says (003:19) that it applies to all directions: -update / gradient is one number
for plain gradient descent, mini-batches or not, and differs from weight to weight for the adaptive
rules.

Command: python -m experiments --only where_does_the_gradient_point      (CPU, about 3 s)
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from experiments.engine import (
    Gate,
    Plan,
    Verdict,
    all_of,
    draw_path,
    draw_surface,
    exactly,
    figure,
    surface_grid,
    tolerance,
)
from experiments.engine import method as look
from experiments.lab.scenes import RATES, VALLEY_START, rule, valley
from jaxtricks import optimizers, surfaces

FIGURES = ("F-034",)
CLAIMS = ("C-026",)
PLANS = {
    "C-026": Plan(
        effects={"spread": 1e-6, "Adam's spread, at least": 0.01},
        gates=("Adam differs",),
        settings={"rate": RATES["gradient descent"], "surface": "quadratic (1, 20)"},
    )
}
METHODS = ("gradient descent", "adagrad", "rmsprop", "adam")


@dataclasses.dataclass(frozen=True)
class Config:
    """For C-026 `steps` updates of each method are watched, from `start` and at its rate of
    `rates`, under `seeds` streams of gradient noise of the given `variance`.

    The drawn steps are those at `bowl_rate` from `bowl_start`, on a quadratic of two `curvatures`
    that is turned by `angle` degrees.
    """

    seed: int = 15_026
    seeds: int = 20
    steps: int = 40
    variance: float = 1.0
    start: tuple[float, float] = VALLEY_START
    rates: tuple[tuple[str, float], ...] = tuple((name, RATES[name]) for name in METHODS)
    curvatures: tuple[float, float] = (1.0, 3.0)
    angle: float = 30.0
    bowl_start: tuple[float, float] = (-2.4, 0.9)
    bowl_rate: float = 0.16


SMOKE = Config(seeds=2, steps=10)
FULL = Config(seeds=200)


def run(config: Config) -> dict[str, Any]:
    """Three steps on a bowl, and -update / gradient of each weight on the shared valley."""
    found = jax.device_get(jax.jit(measure, static_argnums=1)(config.seed, config))
    steps, (points, gradients, updates) = found
    bowl = surfaces.quadratic(config.curvatures, angle=math.radians(config.angle))
    roots = root_axes(config.curvatures, config.angle)
    return {
        "grid": surface_grid(bowl, ((-2.9, 0.7), (-1.2, 1.5))),
        "points": points,
        "gradients": gradients,
        "deviations": [off_right_angle(roots, p, u) for p, u in zip(points, updates, strict=False)],
        "spread": {name: spread(name, ratios) for name, ratios in steps.items()},
        "ratios": {name: ratios[0] for name, ratios in steps.items()},
        "rate": dict(config.rates)["gradient descent"],
        "curvatures": config.curvatures,
        "angle": config.angle,
        "seeds": config.seeds,
        "steps": config.steps,
    }


def measure(seed: jax.Array, config: Config) -> tuple[dict[str, jax.Array], tuple[jax.Array, ...]]:
    """-update / gradient by method, [seed, step, weight]; the path on the bowl."""
    noisy = surfaces.with_gradient_noise(valley(), config.variance)
    start = jnp.array(config.start, jnp.float32)

    def ratios(key: jax.Array) -> dict[str, jax.Array]:
        seen = {
            name: surfaces.trajectory(rule(name, rate), noisy, start, config.steps, key=key)
            for name, rate in config.rates
        }
        return {name: -path.updates / path.gradients for name, path in seen.items()}

    keys = jax.random.split(jax.random.key(seed), config.seeds)
    bowl = surfaces.quadratic(config.curvatures, angle=math.radians(config.angle))
    descent = optimizers.gradient_descent(config.bowl_rate)
    path = surfaces.trajectory(descent, bowl, jnp.array(config.bowl_start), steps=3)
    return jax.vmap(ratios)(keys), (path.points, path.gradients, path.updates)


def spread(name: str, ratios: np.ndarray) -> np.floating:
    """Relative difference of both weights' ratios: the largest one for plain descent."""
    differences = np.abs(ratios[..., 0] / ratios[..., 1] - 1)
    return np.max(differences) if name == "gradient descent" else np.median(differences)


def root_axes(curvatures: tuple[float, float], degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """The turned axes of a quadratic as columns, and the roots of its curvatures along them."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cos, -sin], [sin, cos]]), np.sqrt(np.array(curvatures))


def off_right_angle(
    roots: tuple[np.ndarray, np.ndarray], point: np.ndarray, update: np.ndarray
) -> float:
    """Degrees between a step and the normal of its contour, an ellipse with axes ~ h^(-1/2)."""
    turn, root = roots
    across, along = (turn.T @ point) * root
    tangent = turn @ (np.array([-along, across]) / root)
    cosine = tangent @ update / np.linalg.norm(tangent) / np.linalg.norm(update)
    return float(np.degrees(np.arcsin(min(abs(cosine), 1.0))))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if both weights' ratios agree to 1e-6 for gradient descent at every step."""
    effects, spreads = PLANS["C-026"].effects, results["spread"]
    part = tolerance(
        "-update / gradient of one weight over that of the other, minus 1, at the worst of "
        f"{results['steps'] * results['seeds']:,.0f} noisy steps of gradient descent",
        [exactly(spreads["gradient descent"])],
        within=effects["spread"],
        panel="b",
    )
    gate = Gate(
        "Adam differs",
        spreads["adam"] > effects["Adam's spread, at least"],
        f"the median of the same for Adam is {spreads['adam']:.2g}",
    )
    others = ", ".join(f"{name} {spreads[name]:.2g}" for name in METHODS[1:])
    scope = (
        f"quadratic of 2 weights, condition number 20, Gaussian gradient noise, {results['seeds']}"
        f" streams of {results['steps']} updates at rate {results['rate']}, float32"
    )
    return [all_of("C-026", [part], gates=[gate], scope=scope, beside=[f"medians: {others}"])]


def draw(results: dict[str, Any]) -> Figure:
    """The labelled steps, and the learning rate that each weight gets."""
    fig, (steps, rates) = figure(1, 2, width=5.6, height=4.4)
    draw_steps(steps, results)
    for name in ("gradient descent", "adagrad", "rmsprop"):
        for weight, style, width in ((0, "-", 3.5), (1, "--", 1.5)):
            ratio = results["ratios"][name][:, weight]
            label = f"{name}, {('flat', 'steep')[weight]} $w_{weight + 1}$"
            alpha = (0.45, 1)[weight]  # so that the second line shows on the first
            own = {"linestyle": style, "label": label, "linewidth": width, "alpha": alpha}
            rates.plot(ratio, **look(name) | own)
    rates.set(xlabel="step", ylabel="−update / gradient", ylim=(0, None))
    rates.set_title("rate of each weight, one noisy descent")
    rates.legend(loc="upper right")
    return fig


def draw_steps(axes: Axes, results: dict[str, Any]) -> None:
    """theta(1) to theta(4), with the contour through each point and the angle to it."""
    grid, points = results["grid"], results["points"]
    names = r"$\theta_1$", r"$\theta_2$"
    draw_surface(axes, grid, start=points[0], optimum=(0, 0), names=names)
    ellipse = np.linspace(0, 2 * np.pi, 200)
    turn, root = root_axes(results["curvatures"], results["angle"])
    for point in points[:3]:
        radius = np.linalg.norm((turn.T @ point) * root)
        circle = radius * np.array([np.cos(ellipse), np.sin(ellipse)])
        axes.plot(*(turn @ (circle / root[:, None])), "k-", lw=0.8)
    draw_path(axes, points, "gradient descent")
    halo = [withStroke(linewidth=2, foreground="white")]
    for number, (here, there) in enumerate(zip(points, points[1:], strict=False), start=1):
        arrow = {
            "arrowstyle": "-|>",
            "color": look("gradient descent")["color"],
            "lw": 2,
            "shrinkA": 0,
            "shrinkB": 0,
        }
        axes.annotate("", there, here, arrowprops=arrow)
        label = rf"$-\eta g^{{({number})}}$"
        axes.annotate(
            label, (here + there) / 2, (8, 6), textcoords="offset points", path_effects=halo
        )
    for number, point in enumerate(points, start=1):
        label = rf"$\theta^{{({number})}}$"
        axes.annotate(
            label, point, (-15, -19), textcoords="offset points", fontsize=11, path_effects=halo
        )
    axes.legend(loc="upper right", frameon=True, framealpha=0.8, edgecolor="none")
    axes.set_aspect("equal")
    degrees = np.max(results["deviations"])
    axes.set_title(f"steps leave contours at 90° (within {degrees:.6f}°)")
