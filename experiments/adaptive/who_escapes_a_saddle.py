"""Who escapes a saddle: does SGD stop there while adaptive methods leave at once?

The lecture's animation (004:260, 004:270-272): gradient descent stops, momentum and NAG linger and
then leave, AdaGrad, AdaDelta and RMSProp leave fast. Here f = x^2 - y^2 from (1, y0), y0 = 0.01 to
1e-9, shared rates, in float64; left means |y| = 1. Stopped: over 100 times the steps that the
method needs from the surface's own start (1, 0.01). Sooner: by 10 % at least, for every y0. Then
the same saddle and start turned by 15, 30 and 45 degrees, where both coordinates see the same
gradients and a rate for each of them is of little use. The law for gradient descent, whose y grows
by 1 + 2 alpha a step: log(1 / y0) / log(1 + 2 alpha) steps. Redder is a lower loss. The film shows
each of the first 20 steps and then runs faster and faster; its last picture is the still.

Command: python -m experiments --only who_escapes_a_saddle      (CPU, about 30 s)
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from experiments.engine import (
    Animation,
    Gate,
    Part,
    Plan,
    Verdict,
    all_of,
    clock,
    demonstration,
    draw_surface,
    exactly,
    figure,
    method,
    over,
    surface_grid,
)
from experiments.lab.scenes import DECAY, RATES, rule, weights
from jaxtricks import surfaces

FIGURES = ("F-039",)
CLAIMS = ("C-033",)
ERRATA = ("E-66",)
PLANS = {
    "C-033": Plan(
        effects={"factor of the steps": 100.0, "log10 of the steps": math.log10(1.1)},
        gates=("pos",),
        settings={"generic start": "(1, 0.01)", "rates": RATES, "angle": 0},
        revised="Nesterov's steps are counted at the weights, not at the look-ahead points; the "
        "film is longer",
    )
}
HEAVY = ("momentum", "nesterov")
ADAPTIVE = ("adagrad", "adadelta", "rmsprop")
METHODS = ("gradient descent", *HEAVY, *ADAPTIVE)
SLOW = 20  # steps of which each has a picture of its own


@dataclasses.dataclass(frozen=True)
class Config:
    """Each method has `steps` updates from y0 = 10^-e for each e of `exponents`, at its rate of
    `rates`, on the saddle turned by each of `angles`, in degrees, of which the first is 0.

    `decay` is the momentum of momentum and NAG, from 0 to under 1. The film shows `film` steps in
    at most `frames` pictures, turned by the last angle beside the unturned one.
    """

    steps: int = 3000
    exponents: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8, 9)
    film: int = 400
    frames: int = 61
    rates: tuple[tuple[str, float], ...] = tuple((name, RATES[name]) for name in METHODS)
    decay: float = DECAY
    angles: tuple[float, ...] = (0, 15, 30, 45)


SMOKE = Config(steps=1500, exponents=(2, 9), film=40, frames=23)
FULL = Config(steps=20_000, frames=101)


def run(config: Config) -> dict[str, Any]:
    """Paths from y0 = 0.01 and steps until |y| = 1 by method, angle and y0."""
    offsets = 10.0 ** -np.array(config.exponents)
    with jax.enable_x64(True):
        points = jax.jit(follow, static_argnums=1)(np.append(offsets, 0.0), config)
    paths = {
        name: weights(name, np.asarray(found), decay=config.decay) for name, found in points.items()
    }
    escapes = {name: steps_to_leave(found, config.angles) for name, found in paths.items()}
    kept = np.append(np.arange(min(100, config.film)), np.arange(100, config.film + 1, 4))
    slow = np.arange(SLOW + 1)
    pictured = np.append(slow, np.geomspace(SLOW + 1, config.film, config.frames - len(slow)))
    law = np.log(1 / offsets) / np.log1p(2 * dict(config.rates)["gradient descent"])
    return {
        "grids": [
            surface_grid(surfaces.saddle(angle=math.radians(config.angles[i])), points=41)
            for i in (0, -1)
        ],
        "paths": {name: found[[0, -1], 0][:, kept] for name, found in paths.items()},
        "kept": kept,
        "pictured": np.unique(np.searchsorted(kept, pictured.astype(int)).clip(0, len(kept) - 1)),
        "offsets": offsets,
        "angles": config.angles,
        "escapes": {name: steps[:, :-1] for name, steps in escapes.items()},
        "ridge": {name: steps[0, -1] for name, steps in escapes.items()},
        "law": law,
        "steps": config.steps,
    }


def follow(offsets: jax.Array, config: Config) -> dict[str, jax.Array]:
    """The points of all paths by method, [angle, y0, step, 2]."""

    def one(name: str, rate: float, angle: jax.Array, offset: jax.Array) -> jax.Array:
        surface = surfaces.saddle(angle=angle, offset=offset)
        ours = rule(name, rate, decay=config.decay)
        return surfaces.trajectory(ours, surface, surface.start, config.steps).points

    angles = jnp.radians(jnp.array(config.angles, float))
    per_offset = jax.vmap(one, (None, None, None, 0))
    per_angle = jax.vmap(per_offset, (None, None, 0, None))
    return {name: per_angle(name, rate, angles, offsets) for name, rate in config.rates}


def steps_to_leave(paths: np.ndarray, angles: tuple[float, ...]) -> np.ndarray:
    """Steps until |y| = 1 by [angle, y0], y along the turned axis; one past the last if never."""
    turned = np.radians(angles)[:, None, None]
    along = paths[..., 1] * np.cos(turned) - paths[..., 0] * np.sin(turned)
    outside = ~(np.abs(along) < 1)
    return np.where(outside.any(axis=-1), outside.argmax(axis=-1), paths.shape[-2])


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-033, unturned, in three parts. E-66: from every y0 > 0 gradient descent leaves within 2 %
    or 1 step of the law, and from the ridge no method ever does."""
    escapes, budget = results["escapes"], results["steps"]
    plain, spread = escapes["gradient descent"][0], "from y0 = 1e-2 and 1e-9"
    error, none = np.abs(plain - results["law"]), min(results["ridge"].values()) > budget
    return [
        all_of(
            "C-033",
            parts(escapes),
            scope="x² − y² from (1, y0), no noise, float64, shared rates; y0 = 1e-2 to 1e-9",
            gates=[
                Gate("pos", none, f"from y0 = 0 none of the six leaves in {budget} steps"),
            ],
            beside=[
                f"{name} leaves {spread} after {ends(escapes[name][0], budget)} steps, turned by "
                f"{results['angles'][-1]:g} degrees {ends(escapes[name][-1], budget)}"
                for name in METHODS
            ],
        ),
        demonstration(
            "E-66",
            bool((error <= np.maximum(1, 0.02 * plain)).all() and none),
            f"Gradient descent does leave, after {ends(plain, budget)} steps {spread} (law: "
            f"{results['law'][0]:.1f} and {results['law'][-1]:.1f}); from y0 = 0 no method does",
            panel="c",
        ),
    ]


def parts(escapes: dict[str, np.ndarray]) -> list[Part]:
    """Gradient descent stops; momentum and NAG leave sooner; the adaptive ones sooner still."""
    effects = PLANS["C-033"].effects
    plain = escapes["gradient descent"][0]
    heavy = np.array([escapes[name][0] for name in HEAVY])
    adaptive = np.array([escapes[name][0] for name in ADAPTIVE])
    order = effects["log10 of the steps"]
    return [
        over(
            "gradient descent's steps to leave over those from (1, 0.01), the largest",
            exactly(plain.max() / plain[0]),
            effects["factor of the steps"],
            panel="c",
        ),
        over(
            "log10 of gradient descent's steps over the slower one's of momentum and NAG, the "
            "smallest",
            exactly(np.log10(plain / heavy).min()),
            order,
            panel="c",
        ),
        over(
            "log10 of the sooner one's of momentum and NAG over the slowest adaptive one's, the "
            "smallest",
            exactly(np.log10(heavy.min(axis=0) / adaptive.max(axis=0)).min()),
            order,
            panel="c",
        ),
    ]


def ends(steps: np.ndarray, budget: float) -> str:
    """First and last number of a row."""
    return " and ".join(f"{s:.0f}" if s <= budget else "never" for s in (steps[0], steps[-1]))


def animate(results: dict[str, Any]) -> Animation:
    """The saddle as a surface, the turned one from above, and the steps to leave."""
    fig, (plain, turned, needed) = figure(1, 3, width=5.0, height=5.0)
    (x, y), angle = results["paths"][METHODS[0]][0][0], results["angles"][-1]
    plain = raised(plain, results["grids"][0], (x, y))
    draw_surface(
        turned,
        results["grids"][1],
        start=results["paths"][METHODS[0]][1][0],
        bar=False,
        names=("$x$", "$y$"),
    )
    turned.plot(0, 0, "k+", ms=9, label="saddle")
    turned.set_aspect("equal")
    movers = []
    for name in METHODS:
        look = {"marker": "o", "ls": "", "ms": 6, "mec": "white", "color": method(name)["color"]}
        for panel, axes in enumerate((plain, turned)):
            nothing = ([],) * (3 - panel)
            (line,), (head,) = (
                axes.plot(*nothing, lw=2, **method(name)),
                axes.plot(*nothing, **look),
            )
            points = results["paths"][name][panel]
            movers.append((line, head, points if panel else lifted(points)))
    fig.legend(*turned.get_legend_handles_labels(), loc="outside right center")
    draw_escapes(needed, results)
    plain.set_title(f"$x^2 - y^2$ from ({x:g}, {y:g}), height: loss")
    turned.set_title(f"turned by {angle:g}°, from above")
    count = turned.text(0.04, 0.04, "", transform=turned.transAxes)
    steps = results["kept"][results["pictured"]]

    def show(frame: int) -> None:
        last = int(results["pictured"][frame])
        for line, head, points in movers:
            move(line, points[: last + 1])
            move(head, points[last : last + 1])
        count.set_text(clock(steps, frame))

    return Animation(fig, show, len(steps), milliseconds=90)


def raised(flat: Axes, grid: dict[str, np.ndarray], start: tuple[float, float]) -> Axes:
    """A surface in the place of a flat panel, whose letter it takes over."""
    place, letter, fig = flat.get_subplotspec(), flat.get_title(loc="left"), flat.figure
    flat.remove()
    axes = fig.add_subplot(place, projection="3d", computed_zorder=False)
    axes.set_title(letter, loc="left", fontweight="bold")
    x, y = np.meshgrid(grid["x"], grid["y"])
    axes.plot_surface(x, y, grid["loss"], cmap="RdYlBu", alpha=0.6, rstride=2, cstride=2, lw=0)
    axes.plot(*lifted(np.array([start])).T, "o", mfc="white", mec="black", ms=8)
    axes.plot([0], [0], [0], "k+", ms=9)
    axes.set(xlabel="$x$", ylabel="$y$", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    axes.view_init(elev=42, azim=35)
    axes.set_box_aspect((1, 1, 0.7), zoom=0.95)
    return axes


def lifted(points: np.ndarray) -> np.ndarray:
    """The points on the surface, without those beyond its edge."""
    x, y = points.T
    inside = np.maximum(abs(x), abs(y)) <= 1.5
    return np.where(inside[:, None], np.stack([x, y, x**2 - y**2], axis=1), np.nan)


def move(line: Any, points: np.ndarray) -> None:
    """Lets a line go through these points, of two or three coordinates."""
    if points.shape[1] == 3:
        line.set_data_3d(*points.T)
    else:
        line.set_data(*points.T)


def draw_escapes(axes: Axes, results: dict[str, Any]) -> None:
    """Steps to |y| = 1 against y0: solid unturned, dashed turned by the last angle."""
    for name in METHODS:
        color = method(name)["color"]
        axes.loglog(results["offsets"], results["escapes"][name][0], color=color)
        axes.loglog(results["offsets"], results["escapes"][name][-1], "--", color=color)
    axes.loglog(results["offsets"], results["law"], "k.", label="the law")
    axes.plot([], [], "k-", label="unturned")
    axes.plot([], [], "k--", label=f"turned by {results['angles'][-1]:g}°")
    axes.set(xlabel="start's distance from the ridge, $y_0$", ylabel="steps until |y| = 1")
    axes.set_title("steps to leave")
    axes.set_ylim(bottom=0.15)
    axes.legend(loc="lower left", ncols=2)
