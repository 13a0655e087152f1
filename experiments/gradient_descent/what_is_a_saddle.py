"""What is a saddle?

The lecture: a place with zero first derivative where the Hessian has eigenvalues of both signs
(004:260), so that the loss rises in some directions and falls in the others (002:198). Checked in
float64 at every critical point of the lecture's surfaces that has a closed form, minima included.

Command: python -m experiments --only what_is_a_saddle      (CPU, about 2 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import COLOURS, draw_path, draw_surface, figure, surface_grid
from experiments.engine.before import Verdict, exact
from jaxtricks import optimizers, surfaces

FIGURES = ("F-022",)
CLAIMS = ("C-011",)


@dataclasses.dataclass(frozen=True)
class Config:
    """`rate`, `steps`: of the descent; `probe`: how far along the eigenvectors to look."""

    rate: float = 0.05
    steps: int = 50
    probe: float = 1e-3


SMOKE = Config(steps=20)
FULL = Config(steps=100)


def critical_points() -> dict[str, tuple[surfaces.Surface, jax.Array, bool]]:
    """Surface, critical point, and whether it is a saddle."""
    top, bottom = sorted(np.roots([4.0, 0.0, -4.0, -0.5]))[1:]  # of (x^2 - 1)^2 - x / 2
    valleys = surfaces.two_valleys(0.5)
    return {
        "x² − y² at (0, 0)": (surfaces.saddle(), jnp.zeros(2), True),
        "Beale at (0, 1)": (surfaces.beale(), jnp.array([0.0, 1.0]), True),
        "pass between two valleys": (valleys, jnp.array([top, 0.0]), True),
        "floor of the deep valley": (valleys, jnp.array([bottom, 0.0]), False),
        "Beale at (3, 0.5)": (surfaces.beale(), jnp.array([3.0, 0.5]), False),
        "banana at (1, 1/3)": (surfaces.banana(), jnp.array([1.0, 1 / 3]), False),
        "bowl at (0, 0)": (surfaces.quadratic((1.0, 20.0)), jnp.zeros(2), False),
    }


def run(config: Config) -> dict[str, Any]:
    """Gradient, eigenvalues, and the change of the loss along the eigenvectors, at every point."""

    def descend() -> jax.Array:
        rule, surface = optimizers.gradient_descent(config.rate), surfaces.saddle()
        return surfaces.trajectory(rule, surface, surface.start, config.steps).points

    with jax.enable_x64(True):
        measured = jax.jit(
            lambda: {name: measure(*row, config.probe) for name, row in critical_points().items()}
        )()
    return {
        "points": {name: measured[name] for name in critical_points()},  # jit sorts the keys
        "grid": surface_grid(surfaces.saddle()),
        "path": jax.jit(descend)(),
        "rate": config.rate,
    }


def measure(
    surface: surfaces.Surface, point: jax.Array, is_saddle: bool, probe: float
) -> dict[str, Any]:
    """What decides about a critical point."""
    eigenvalues, vectors = jnp.linalg.eigh(jax.hessian(surface)(point))
    # Both ways along an eigenvector: the mean leaves the gradient's part out.
    ahead = jax.vmap(lambda v: surface(point + probe * v) + surface(point - probe * v))(vectors.T)
    return {
        "is_saddle": is_saddle,
        "gradient": jnp.linalg.norm(jax.grad(surface)(point)),
        "eigenvalues": eigenvalues,
        "vectors": vectors.T,
        "change": (ahead / 2 - surface(point)) / probe**2,
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if the signs of eigenvalues and of loss changes agree with what each point is."""
    holds, texts = [], []
    for name, point in results["points"].items():
        low, high = point["eigenvalues"]
        right = low < 0 < high if point["is_saddle"] else low > 0
        agree = np.array_equal(np.sign(point["eigenvalues"]), np.sign(point["change"]))
        holds.append(point["gradient"] < 1e-10 and right and agree)
        if point["is_saddle"]:
            texts.append(f"{name} {low:.4g} and {high:.4g}")
    minima = sum(not point["is_saddle"] for point in results["points"].values())
    gradient = max(point["gradient"] for point in results["points"].values())
    return [
        exact(
            "C-011",
            all(holds),
            f"Hessian's eigenvalues: {'; '.join(texts)}; both positive at all {minima} minima; "
            f"largest gradient {gradient:.0e}; the loss falls along the negative ones and rises "
            "along the positive ones",
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The surface in perspective, from above, and the eigenvalues of all points."""
    fig, (flat, above, values) = figure(1, 3, width=4.5, height=3.8)
    flat.remove()
    grid, path = results["grid"], results["path"]
    path = path[np.abs(path).max(axis=1) <= 1.5]
    draw_solid(fig.add_subplot(1, 3, 1, projection="3d", computed_zorder=False), grid, path)
    draw_surface(above, grid, start=path[0], names=("x", "y"))
    draw_path(above, path, "gradient descent")
    saddle = results["points"]["x² − y² at (0, 0)"]
    for vector, value in zip(saddle["vectors"], saddle["eigenvalues"], strict=True):
        arrow = {"arrowstyle": "-|>", "color": COLOURS[0] if value > 0 else COLOURS[1], "lw": 2.5}
        for sign in (-1, 1):
            above.annotate("", sign * 0.7 * vector, (0, 0), arrowprops=arrow)
        way = "up" if value > 0 else "down"
        above.plot([], [], color=arrow["color"], lw=2.5, label=rf"$\lambda = {value:+.0f}$: {way}")
    above.plot(0, 0, "ko", ms=6, label="saddle")
    above.set_title(f"eigenvectors at the saddle; descent at rate {results['rate']}")
    above.legend(loc="upper right", frameon=True, framealpha=0.8, edgecolor="none")
    draw_values(values, results)
    return fig


def draw_solid(axes: Any, grid: dict[str, np.ndarray], path: np.ndarray) -> None:
    """The surface in perspective, its curves along both eigenvectors, and the descent on it."""
    x, y = np.meshgrid(grid["x"], grid["y"])
    axes.plot_surface(x, y, grid["loss"], cmap="RdYlBu", alpha=0.75, rcount=25, ccount=25)
    line = np.linspace(-1.5, 1.5, 50)
    axes.plot(line, 0 * line, line**2, color=COLOURS[0], lw=2.5, label=r"$\lambda = +2$: up")
    axes.plot(0 * line, line, -(line**2), color=COLOURS[1], lw=2.5, label=r"$\lambda = -2$: down")
    height = path[:, 0] ** 2 - path[:, 1] ** 2
    axes.plot(*path.T, height, ".-", color="#D55E00", ms=4, label="gradient descent")
    axes.plot([0], [0], [0], "ko", ms=6)
    axes.set(xlabel="x", ylabel="y", title="height $x^2 - y^2$, gradient 0 at the dot")
    axes.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1), zticks=(-2, -1, 0, 1, 2))
    axes.view_init(elev=28, azim=-62)


def draw_values(axes: Any, results: dict[str, Any]) -> None:
    """Both eigenvalues of each point on a symmetric log axis."""
    for place, point in enumerate(results["points"].values()):
        for value in point["eigenvalues"]:
            colour = COLOURS[0] if value > 0 else COLOURS[1]
            axes.plot(value, place, "o" if value > 0 else "s", color=colour, ms=7)
    axes.axvline(0, color="black", lw=0.8)
    axes.set_xscale("symlog", linthresh=0.1)
    axes.set_yticks(range(len(results["points"])), results["points"])
    axes.invert_yaxis()
    axes.set(
        xlim=(-100, 2000),
        xlabel="eigenvalues of the Hessian (symmetric logarithm)",
        title="saddles: one of each sign; minima: both positive",
    )
    places = (-100, -10, -1, 0, 1, 10, 100, 1000)
    axes.set_xticks(places, [f"{place:g}" for place in places])
