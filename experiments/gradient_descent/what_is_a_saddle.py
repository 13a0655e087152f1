"""What is a saddle?

The lecture: a place with zero first derivative where the Hessian has eigenvalues of both signs
(004:260), so that the loss rises in some directions and falls in the others (002:198). Checked in
float64 at the critical points of the lecture's surfaces that have a closed form, minima included,
and at two degenerate saddles: (w1 w2 w3 - 1)^2 / 2 at 0, where a network of three layers with one
weight each stands if it starts from zeros, and the monkey saddle x^3 - 3 x y^2 at 0. From both the
loss falls one way and rises another, so they are saddles.

Command: python -m experiments --only what_is_a_saddle      (CPU, about 2 s)
"""

import dataclasses
from collections.abc import Callable
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
    draw_path,
    draw_surface,
    exactly,
    figure,
    holds,
    method,
    over,
    surface_grid,
    under,
)
from jaxtricks import optimizers, surfaces

FIGURES = ("F-022",)
CLAIMS = ("C-011",)
PLANS = {"C-011": Plan(effects={"share of the largest": 1e-8}, gates=("pos",))}
KINDS = ("saddle", "degenerate", "minimum")


@dataclasses.dataclass(frozen=True)
class Config:
    """The descent begins at `start` and has `steps` at `rate`; `probe` is how far along the
    eigenvectors the loss is looked at."""

    rate: float = 0.05
    steps: int = 50
    probe: float = 1e-3
    start: tuple[float, float] = (1.0, 0.01)


SMOKE = Config(steps=20)
FULL = Config(steps=100)


def critical_points() -> dict[str, tuple[Any, jax.Array, str]]:
    """Surface, critical point, and what it is, in the order of the picture."""
    top, bottom = sorted(np.roots([4.0, 0.0, -4.0, -0.5]))[1:]  # of (x^2 - 1)^2 - x / 2
    valleys = surfaces.two_valleys(0.5)
    return {
        "x² − y² at 0": (surfaces.saddle(), jnp.zeros(2), "saddle"),
        "Beale at (0, 1)": (surfaces.beale(), jnp.array([0.0, 1.0]), "saddle"),
        "pass of two valleys": (valleys, jnp.array([top, 0.0]), "saddle"),
        "(w₁w₂w₃ − 1)²/2 at 0": (lambda w: (jnp.prod(w) - 1) ** 2 / 2, jnp.zeros(3), "degenerate"),
        "x³ − 3xy² at 0": (lambda w: w[0] ** 3 - 3 * w[0] * w[1] ** 2, jnp.zeros(2), "degenerate"),
        "deep valley's floor": (valleys, jnp.array([bottom, 0.0]), "minimum"),
        "Beale at (3, 0.5)": (surfaces.beale(), jnp.array([3.0, 0.5]), "minimum"),
        "banana at (1, 1/3)": (surfaces.banana(), jnp.array([1.0, 1 / 3]), "minimum"),
        "bowl at 0": (surfaces.quadratic((1.0, 20.0)), jnp.zeros(2), "minimum"),
    }


def run(config: Config) -> dict[str, Any]:
    """Gradient, eigenvalues, and the change of the loss along the eigenvectors, at every point."""

    def descend() -> jax.Array:
        rule, surface = optimizers.gradient_descent(config.rate), surfaces.saddle()
        return surfaces.trajectory(rule, surface, jnp.array(config.start), config.steps).points

    with jax.enable_x64(True):
        points = critical_points()
        measured = jax.jit(
            lambda: {name: measure(*row[:2], config.probe) for name, row in points.items()}
        )()
    return {
        "points": {name: {"kind": row[2], **measured[name]} for name, row in points.items()},
        "probe": config.probe,
        "grid": surface_grid(surfaces.saddle()),
        "path": jax.jit(descend)(),
        "rate": config.rate,
    }


def measure(
    surface: Callable[[jax.Array], jax.Array], point: jax.Array, probe: float
) -> dict[str, Any]:
    """What decides about a critical point: changes are those along lines through it, both ways."""
    eigenvalues, vectors = jnp.linalg.eigh(jax.hessian(surface)(point))
    diagonal = jnp.ones((1, len(point))) / jnp.sqrt(len(point))
    lines = jnp.concatenate([vectors.T, diagonal])
    changes = jax.vmap(lambda v: surface(point + probe * v) - surface(point))(
        jnp.concatenate([lines, -lines])
    )
    return {
        "gradient": jnp.linalg.norm(jax.grad(surface)(point)),
        "eigenvalues": eigenvalues,
        "vectors": vectors.T,
        "changes": changes,
    }


def both_signs(eigenvalues: np.ndarray) -> float:
    """The smaller of the lowest, negated, and the highest, as a share of the largest size."""
    size = np.max(np.abs(eigenvalues))
    return float(min(-eigenvalues[0], eigenvalues[-1]) / size) if size > 0 else 0.0


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if every listed saddle has gradient 0 and eigenvalues of both signs."""
    rounding = PLANS["C-011"].effects["share of the largest"]
    kinds = {
        kind: [point for point in results["points"].values() if point["kind"] == kind]
        for kind in KINDS
    }
    saddles = kinds["saddle"] + kinds["degenerate"]
    both = "least of the highest eigenvalue and the lowest one's negative, over the largest size, "
    parts = [
        under(
            f"largest gradient at {len(saddles)} saddles",
            exactly(max(point["gradient"] for point in saddles)),
            rounding,
            panel="c",
        ),
        over(
            f"{both}at {len(kinds['saddle'])} saddles of the lecture's surfaces",
            exactly(min(both_signs(point["eigenvalues"]) for point in kinds["saddle"])),
            rounding,
            panel="c",
        ),
        over(
            f"{both}at {len(kinds['degenerate'])} degenerate saddles, whose Hessian is 0",
            exactly(min(both_signs(point["eigenvalues"]) for point in kinds["degenerate"])),
            rounding,
            panel="c",
        ),
        holds(
            f"within {results['probe']:g} of each of the {len(saddles)} saddles the loss is lower "
            "one way and higher another",
            all(point["changes"].min() < 0 < point["changes"].max() for point in saddles),
            panel="a",
        ),
    ]
    minima = kinds["minimum"]
    least = min(point["eigenvalues"][0] / point["eigenvalues"][-1] for point in minima)
    lowest = min(point["changes"].min() for point in minima)
    gate = Gate(
        "pos",
        bool(least > rounding and lowest > 0),
        f"{len(minima)} minima are not called saddles: their lowest eigenvalue is {least:.2g} of "
        "the highest or more, and the loss rises every way",
    )
    scope = (
        f"{len(saddles)} saddles and {len(minima)} minima of surfaces of 2 or 3 weights, float64"
    )
    return [all_of("C-011", parts, gates=[gate], scope=scope)]


def draw(results: dict[str, Any]) -> Figure:
    """The surface in perspective, from above, and the eigenvalues of all points."""
    fig, (flat, above, values) = figure(1, 3, width=5.4, height=4.4)
    flat.remove()
    grid, path = results["grid"], results["path"]
    path = path[np.abs(path).max(axis=1) <= 1.5]
    draw_solid(fig.add_subplot(1, 3, 1, projection="3d", computed_zorder=False), grid, path)
    draw_surface(above, grid, start=path[0], names=("x", "y"))
    draw_path(above, path, "gradient descent")
    saddle = results["points"]["x² − y² at 0"]
    for vector, value in zip(saddle["vectors"], saddle["eigenvalues"], strict=True):
        arrow = {"arrowstyle": "-|>", "color": colour_of(value), "lw": 2.5}
        for sign in (-1, 1):
            above.annotate("", sign * 0.7 * vector, (0, 0), arrowprops=arrow)
    above.text(-0.7, 0.12, r"$\lambda = +2$: up", ha="center")
    above.text(-0.08, -0.85, r"$\lambda = -2$: down", ha="right")
    above.plot(0, 0, "ko", ms=6, label="saddle")
    above.set_title(f"from above, descent at rate {results['rate']}")
    above.legend(loc="lower right", frameon=True, framealpha=0.8, edgecolor="none")
    draw_values(values, results)
    return fig


def colour_of(eigenvalue: float) -> str:
    return "black" if eigenvalue == 0 else COLOURS[0] if eigenvalue > 0 else COLOURS[1]


def draw_solid(axes: Any, grid: dict[str, np.ndarray], path: np.ndarray) -> None:
    """The surface in perspective, its curves along both eigenvectors, and the descent on it."""
    x, y = np.meshgrid(grid["x"], grid["y"])
    axes.plot_surface(x, y, grid["loss"], cmap="RdYlBu", alpha=0.75, rcount=25, ccount=25)
    line = np.linspace(-1.5, 1.5, 50)
    axes.plot(line, 0 * line, line**2, color=COLOURS[0], lw=2.5)
    axes.plot(0 * line, line, -(line**2), color=COLOURS[1], lw=2.5)
    height = path[:, 0] ** 2 - path[:, 1] ** 2
    axes.plot(*path.T, height, ".-", color=method("gradient descent")["color"], ms=4)
    axes.plot([0], [0], [0], "ko", ms=6)
    axes.set(xlabel="x", ylabel="y")
    axes.set_title("a", loc="left", fontweight="bold")
    axes.set_title("height $x^2 - y^2$, gradient 0 at the dot")
    axes.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1), zticks=(-2, -1, 0, 1, 2))
    axes.view_init(elev=28, azim=-62)


def draw_values(axes: Axes, results: dict[str, Any]) -> None:
    """All eigenvalues of each point on a symmetric log axis, with what kind of point it is."""
    points = results["points"]
    for place, point in enumerate(points.values()):
        for value in point["eigenvalues"]:
            marker = "D" if value == 0 else "o" if value > 0 else "s"
            axes.plot(value, place, marker, color=colour_of(value), ms=7)
    kinds = [point["kind"] for point in points.values()]
    names = {"saddle": "saddles", "degenerate": "degenerate\nsaddles", "minimum": "minima"}
    for kind, name in names.items():
        rows = np.flatnonzero(np.array(kinds) == kind)
        axes.text(-70_000, rows.mean(), name, va="center", bbox={"fc": "white", "ec": "none"})
        axes.axhline(rows[-1] + 0.5, color="black", lw=0.6)
    axes.axvline(0, color="black", lw=0.8)
    axes.set_xscale("symlog", linthresh=0.1)
    axes.set_yticks(range(len(points)), points)
    axes.set(xlim=(-100_000, 3000), ylim=(len(points) - 0.5, -0.5))
    axes.set(xlabel="eigenvalues of the Hessian", title="the signs of the eigenvalues")
    places = (-100, -1, 0, 1, 100)
    axes.set_xticks(places, [f"{place:,}".replace("-", "−") for place in places])
    axes.minorticks_off()
