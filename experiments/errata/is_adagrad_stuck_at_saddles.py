"""Is AdaGrad stuck at saddles, or does it leave them fast?

002:397 says that its vanishing rate may leave the parameters unmoved near a saddle, 004:272 that it
escapes quickly (E-37). Both happen, by geometry: on x^2 - y^2 from (10, 0.01) each axis has its own
rate, and y is divided by its own tiny gradients. Turned by 45 degrees both coordinates see the same
large gradients, and the rate is used up on the way down to the ridge. Steps until y, measured
along the ridge, is 1, by angle and start distance, rate 0.1; gradient descent for comparison.

Command: python -m experiments --only is_adagrad_stuck_at_saddles      (CPU, about 2 s)
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
    Verdict,
    demonstration,
    draw_path,
    draw_surface,
    figure,
    method,
    surface_grid,
)
from jaxtricks import optimizers, surfaces

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-37",)
VIEW = ((-11.0, 11.0), (-11.0, 11.0))
SHOWN = ("0", "45")
LEGEND = {"frameon": True, "framealpha": 0.85, "edgecolor": "none"}


@dataclasses.dataclass(frozen=True)
class Config:
    """`degrees` of the saddle, start `distances` from it, and the `limit` of the updates.

    `offset`: of the start from the ridge, the same at all distances; `rate`: of both rules.
    """

    rate: float = 0.1
    offset: float = 0.01
    degrees: tuple[int, ...] = (0, 15, 30, 40, 45)
    distances: tuple[float, ...] = (1.0, 10.0)
    limit: int = 6000


SMOKE = Config(degrees=(0, 45), limit=1000)
FULL = Config(degrees=(0, 5, 10, 15, 20, 25, 30, 35, 40, 43, 45), limit=100_000)


def run(config: Config) -> dict[str, Any]:
    """Steps to y = 1 by angle and distance, and the two paths from distance 10."""
    with jax.enable_x64(True):
        steps, paths = jax.device_get(escapes(config))
        grids = {
            name: surface_grid(surfaces.saddle(angle=np.deg2rad(float(name))), VIEW, points=41)
            for name in SHOWN
        }
    return {
        "rate": config.rate,
        "offset": config.offset,
        "degrees": config.degrees,
        "distances": config.distances,
        "limit": config.limit,
        "steps": steps,
        "paths": {name: path[inside(path)][::10] for name, path in paths.items()},
        "grids": grids,
    }


@functools.partial(jax.jit, static_argnames="config")
def escapes(config: Config) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
    """Steps `[angle, distance]` of both rules, and AdaGrad's paths from the largest distance."""
    angles, distances = np.deg2rad(np.array(config.degrees)), np.array(config.distances)
    rules = {
        "adagrad": optimizers.adagrad(config.rate),
        "gradient descent": optimizers.gradient_descent(config.rate),
    }
    steps = {}
    for name, tx in rules.items():

        def escape(angle: jax.Array, distance: jax.Array, tx: Any = tx) -> jax.Array:
            return follow(tx, angle, jnp.array([distance, config.offset]), config.limit)[0]

        by_distance = jax.vmap(escape, (None, 0))
        steps[name] = jax.vmap(by_distance, (0, None))(angles, distances)
    turned = np.deg2rad([float(name) for name in SHOWN])
    far = jnp.array([distances[-1], config.offset])
    points = jax.vmap(lambda angle: follow(rules["adagrad"], angle, far, 1000)[1])(turned)
    return steps, dict(zip(SHOWN, points, strict=True))


def follow(tx: Any, angle: jax.Array, start: jax.Array, limit: int) -> tuple[jax.Array, jax.Array]:
    """The update after which |y| >= 1, `limit` + 1 if there is none, and the path."""
    turn = jnp.array([[jnp.cos(angle), -jnp.sin(angle)], [jnp.sin(angle), jnp.cos(angle)]])
    points = surfaces.trajectory(tx, surfaces.saddle(angle=angle), turn @ start, limit).points
    away = jnp.abs(points @ turn[:, 1]) >= 1
    return jnp.where(jnp.any(away), jnp.argmax(away), limit + 1), points


def inside(path: jax.Array) -> np.ndarray:
    """The points up to the first one out of view."""
    return np.cumprod(np.all(np.abs(path) <= VIEW[0][1], axis=1)).astype(bool)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if from distance 10 AdaGrad is away in 100 steps at 0 and not at all at 45 degrees,
    while gradient descent needs the same number at both.
    """
    limit, degrees = results["limit"], list(results["degrees"])
    flat, turned = degrees.index(0), degrees.index(45)
    adagrad, descent = results["steps"]["adagrad"], results["steps"]["gradient descent"]
    stuck = adagrad[turned, -1] > limit
    told = f"over {limit}" if stuck else f"{adagrad[turned, -1]:.0f}"
    return [
        demonstration(
            "E-37",
            stuck and adagrad[flat, -1] < 100 and descent[flat, -1] == descent[turned, -1],
            f"adagrad, rate {results['rate']}, from distance {results['distances'][-1]:.0f}: "
            f"{adagrad[flat, -1]:.0f} steps to leave the saddle on the axes, {told} at 45 degrees "
            f"(from distance {results['distances'][0]:.0f}: {adagrad[turned, 0]:.0f}); gradient "
            f"descent {descent[flat, -1]:.0f} at both",
            panel="c",
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Both paths from above; steps by angle."""
    fig, (flat, turned, steps) = figure(1, 3, height=4.4)
    for axes, name in ((flat, SHOWN[0]), (turned, SHOWN[1])):
        path = results["paths"][name]
        draw_surface(axes, results["grids"][name], start=path[0], bar=False)
        draw_path(axes, path, "adagrad", label=f"adagrad, {10 * len(path) - 10} steps", every=10)
        axes.locator_params(nbins=5)
        axes.plot(0, 0, "k+", ms=9, label="saddle")
        axes.set_title(f"the saddle turned by {name} degrees")
        axes.legend(loc="lower left", **LEGEND)
    turned.text(10.4, -10.4, "redder = lower loss", ha="right", va="bottom", fontsize=10.5)
    show_steps(steps, results)
    return fig


def show_steps(axes: Axes, results: dict[str, Any]) -> None:
    degrees, limit = results["degrees"], results["limit"]
    for i, distance in enumerate(results["distances"]):
        values = results["steps"]["adagrad"][:, i]
        look = method("adagrad") | {"linestyle": (":", "-")[i], "marker": "^"}
        axes.semilogy(degrees, values, **look | {"label": f"adagrad from distance {distance:g}"})
    descent = results["steps"]["gradient descent"][:, -1]
    axes.semilogy(degrees, descent, marker="o", **method("gradient descent"))
    axes.axhline(limit, color="grey", linestyle="--", lw=1)
    axes.text(0, 1.15 * limit, f"{limit} steps: not away", color="dimgrey", va="bottom")
    axes.set(xlabel="saddle turned by / degrees", ylabel="steps until $|y|$ = 1", ylim=(10, 2e4))
    axes.set_title(f"start at $y$ = {results['offset']}, rate {results['rate']}")
    axes.legend(loc="upper left", bbox_to_anchor=(0, 0.84))
