"""Where does each step of gradient descent point, and is its length the same for every weight?

The lecture (004:44-59) draws three steps from theta(1) to theta(4): compute the gradient, move
against it, repeat until it is about zero. Each step leaves its contour at a right angle. Of the
learning rate it says (003:19) that it applies to all directions: -update / gradient is one number
for plain gradient descent, mini-batches or not, and differs from weight to weight for the adaptive
rules. (Judged by the largest difference for gradient descent and by the median for the others; the
largest was tried first, and Adam's has no bound, since its average goes on when a gradient is 0.)

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

from experiments.engine import draw_path, draw_surface, figure, surface_grid
from experiments.engine import method as look
from experiments.engine.before import Verdict, exact
from experiments.scenes import RATES, rule, valley
from jaxtricks import optimizers, surfaces

FIGURES = ("F-034",)
CLAIMS = ("C-026",)
CURVATURES, ANGLE, RATE = (1.0, 3.0), math.pi / 6, 0.16
METHODS = ("gradient descent", "adagrad", "rmsprop", "adam")


@dataclasses.dataclass(frozen=True)
class Config:
    """`seeds`: streams of mini-batch noise; `steps`: updates watched for C-026."""

    seeds: int = 20
    steps: int = 40
    variance: float = 1.0


SMOKE = Config(seeds=2, steps=10)
FULL = Config(seeds=200)


def run(config: Config) -> dict[str, Any]:
    """Three steps on a bowl, and -update / gradient of each weight on the shared valley."""
    found = jax.device_get(jax.jit(measure, static_argnums=1)(0, config))
    steps, (points, gradients, updates) = found
    bowl = surfaces.quadratic(CURVATURES, angle=ANGLE)
    return {
        "grid": surface_grid(bowl, ((-2.9, 0.7), (-1.2, 1.5))),
        "points": points,
        "gradients": gradients,
        "deviations": [off_right_angle(p, u) for p, u in zip(points, updates, strict=False)],
        "spread": {name: spread(name, ratios) for name, ratios in steps.items()},
        "ratios": {name: ratios[0] for name, ratios in steps.items()},
        "rate": RATES["gradient descent"],
        "seeds": config.seeds,
    }


def measure(seed: jax.Array, config: Config) -> tuple[dict[str, jax.Array], tuple[jax.Array, ...]]:
    """-update / gradient by method, [seed, step, weight]; the path on the bowl."""
    noisy = surfaces.with_gradient_noise(valley(), config.variance)
    start = jnp.array(valley().start, jnp.float32)

    def ratios(key: jax.Array) -> dict[str, jax.Array]:
        seen = {
            name: surfaces.trajectory(rule(name), noisy, start, config.steps, key=key)
            for name in METHODS
        }
        return {name: -path.updates / path.gradients for name, path in seen.items()}

    keys = jax.random.split(jax.random.key(seed), config.seeds)
    bowl, descent = surfaces.quadratic(CURVATURES, angle=ANGLE), optimizers.gradient_descent(RATE)
    path = surfaces.trajectory(descent, bowl, jnp.array([-2.4, 0.9]), steps=3)
    return jax.vmap(ratios)(keys), (path.points, path.gradients, path.updates)


def spread(name: str, ratios: np.ndarray) -> np.floating:
    """Relative difference of both weights' ratios: the largest one for plain descent."""
    differences = np.abs(ratios[..., 0] / ratios[..., 1] - 1)
    return np.max(differences) if name == "gradient descent" else np.median(differences)


def off_right_angle(point: np.ndarray, update: np.ndarray) -> float:
    """Degrees between a step and the normal of its contour, an ellipse with axes ~ h^(-1/2)."""
    cos, sin = math.cos(ANGLE), math.sin(ANGLE)
    turn, root = np.array([[cos, -sin], [sin, cos]]), np.sqrt(np.array(CURVATURES))
    across, along = (turn.T @ point) * root
    tangent = turn @ (np.array([-along, across]) / root)
    cosine = tangent @ update / np.linalg.norm(tangent) / np.linalg.norm(update)
    return float(np.degrees(np.arcsin(abs(cosine))))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if both weights' ratios agree to 1e-5 for gradient descent, not for the rest."""
    spread = results["spread"]
    others = {name: spread[name] for name in METHODS[1:]}
    text = ", ".join(f"{name} {value:.2g}" for name, value in others.items())
    return [
        exact(
            "C-026",
            spread["gradient descent"] < 1e-5 and min(others.values()) > 0.01,
            "relative difference of update / gradient between both weights, noisy gradients: "
            f"gradient descent {spread['gradient descent']:.1g} at most; medians: {text}",
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The labelled steps, and the learning rate that each weight gets."""
    fig, (steps, rates) = figure(1, 2, width=5.2, height=4.0)
    draw_steps(steps, results)
    for name in ("gradient descent", "adagrad", "rmsprop"):
        for weight, style, width in ((0, "-", 3.5), (1, "--", 1.5)):
            ratio = results["ratios"][name][:, weight]
            label = f"{name}, {('flat', 'steep')[weight]} $w_{weight + 1}$"
            alpha = (0.45, 1)[weight]  # so that the second line shows on the first
            own = {"linestyle": style, "label": label, "linewidth": width, "alpha": alpha}
            rates.plot(ratio, **look(name) | own)
    rates.set(xlabel="step", ylabel="−update / gradient", ylim=(0, None))
    rates.set_title("the rate of each weight (one seed of noisy gradients)")
    rates.legend(loc="upper right")
    return fig


def draw_steps(axes: Axes, results: dict[str, Any]) -> None:
    """theta(1) to theta(4), with the contour through each point and the angle to it."""
    grid, points = results["grid"], results["points"]
    names = r"$\theta_1$", r"$\theta_2$"
    draw_surface(axes, grid, start=points[0], optimum=(0, 0), names=names)
    ellipse = np.linspace(0, 2 * np.pi, 200)
    cos, sin = math.cos(ANGLE), math.sin(ANGLE)
    turn, root = np.array([[cos, -sin], [sin, cos]]), np.sqrt(np.array(CURVATURES))[:, None]
    for point in points[:3]:
        radius = np.linalg.norm((turn.T @ point) * root[:, 0])
        circle = radius * np.array([np.cos(ellipse), np.sin(ellipse)])
        axes.plot(*(turn @ (circle / root)), "k-", lw=0.8)
    draw_path(axes, points, "gradient descent")
    halo = [withStroke(linewidth=2, foreground="white")]
    for number, (here, there) in enumerate(zip(points, points[1:], strict=False), start=1):
        arrow = {"arrowstyle": "-|>", "color": "#D55E00", "lw": 2, "shrinkA": 0, "shrinkB": 0}
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
    axes.legend(loc="lower right", frameon=True, framealpha=0.8, edgecolor="none")
    axes.set_aspect("equal")
    degrees = np.max(results["deviations"])
    axes.set_title(f"steps leave contours at 90° (within {degrees:.1g}°)")
