"""Do adaptive methods go straight down a long valley while momentum takes a detour?

The lecture's animation (004:256-268): AdaGrad, AdaDelta and RMSProp "go straight to the minimum on
the right", momentum (green) and NAG (purple) first shoot into another narrow region, and NAG turns
sooner. Beale's function from (1, 1.5), rates 0.003 and decay 0.9 for gradient descent, momentum
and NAG, AdaGrad 0.5, AdaDelta 1, RMSProp 0.02. Straight: the path is at most 1.5 times the way from
the start to the minimum and never under y = 0. Detour: it dips under y = 0. The same for a grid of
starts around the lecture's. The "other region" is a valley: a scan for critical points in
[-10, 10]^2 by damped Newton steps in float64 says how many minima there are.

Command: python -m experiments --only does_a_long_valley_mislead_momentum      (CPU, about 4 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from experiments.engine import Animation, draw_surface, figure, method, surface_grid
from experiments.engine.before import Verdict, combine, exact
from experiments.scenes import RATES, rule
from jaxtricks import surfaces

FIGURES = ("F-038",)
CLAIMS = ("C-034",)
ERRATA = ("E-67",)
NON_FINITE = ("measures",)  # from some starts of the grid a rate is too large
METHODS = {
    "gradient descent": 0.003,
    "momentum": 0.003,
    "nesterov": 0.003,
    "adagrad": 0.5,
    "adadelta": RATES["adadelta"],
    "rmsprop": 0.02,
}
ADAPTIVE = ("adagrad", "adadelta", "rmsprop")
RADIUS = 0.1
VIEW = ((-0.5, 4.0), (-1.6, 2.0))


@dataclasses.dataclass(frozen=True)
class Config:
    """`steps`: of each path; `side`: starts per side of the grid, `scan`: of the Newton scan."""

    steps: int = 5000
    side: int = 5
    scan: int = 41
    frames: int = 50


SMOKE = Config(steps=300, side=2, scan=9, frames=2)
FULL = Config(steps=50_000, side=21, scan=201)


def run(config: Config) -> dict[str, Any]:
    """Paths from the lecture's start, measures from the grid of starts, critical points."""
    beale = surfaces.beale()
    offsets = np.linspace(-0.25, 0.25, config.side, dtype=np.float32)
    corner = np.stack(np.meshgrid(offsets, offsets), axis=-1).reshape(-1, 2)
    starts = np.asarray(beale.start) + np.vstack([np.zeros(2, np.float32), corner])
    paths = jax.tree.map(np.asarray, jax.jit(follow, static_argnums=1)(starts, config.steps))
    shown = drawn_steps(config.steps)
    return {
        "grid": surface_grid(beale, VIEW),
        "shown": shown,
        "paths": {name: points[0, shown] for name, points in paths.items()},
        "measures": {name: measure(points) for name, points in paths.items()},
        "steps": config.steps,
        "frames": config.frames,
        "critical": critical_points(config.scan),
    }


def follow(starts: jax.Array, steps: int) -> dict[str, jax.Array]:
    """The points of all paths by method, [start, step, 2]."""

    def one(start: jax.Array) -> dict[str, jax.Array]:
        return {
            name: surfaces.trajectory(rule(name, rate), surfaces.beale(), start, steps).points
            for name, rate in METHODS.items()
        }

    return jax.vmap(one)(starts)


def drawn_steps(steps: int) -> np.ndarray:
    """Steps that are drawn: each of the first 60, then ever fewer."""
    late = np.logspace(np.log10(60), np.log10(steps), 60).astype(int)
    return np.unique(np.concatenate([np.arange(60), late]))


def measure(points: np.ndarray) -> dict[str, np.ndarray]:
    """By start: path over straight distance, lowest y, first step within 0.1 of the minimum.

    A path that diverges has an infinite ratio and its lowest y while it was within 1e6.
    """
    diverged = ~np.all(np.abs(points) < 1e6, axis=(1, 2))
    points = np.clip(np.nan_to_num(points, nan=1e6), -1e6, 1e6)
    radius = np.linalg.norm(points - np.array([3.0, 0.5]), axis=-1)
    inside = radius < RADIUS
    hit = np.where(inside.any(axis=1), inside.argmax(axis=1), points.shape[1])
    walked = np.arange(1, points.shape[1]) <= hit[:, None]
    length = (np.linalg.norm(np.diff(points, axis=1), axis=-1) * walked).sum(axis=1)
    ratio = np.where(diverged, np.inf, length / radius[:, 0])
    return {"ratio": ratio, "lowest": points[..., 1].min(axis=1), "hit": hit}


def critical_points(side: int) -> dict[str, Any]:
    """Distinct points with a gradient under 1e-9, and the Hessian's eigenvalues there."""
    with jax.enable_x64(True):
        beale = surfaces.beale()
        gradient, hessian = jax.grad(beale.loss), jax.hessian(beale.loss)

        def body(x: jax.Array, _: None) -> tuple[jax.Array, None]:
            h, g = hessian(x), gradient(x)
            damped = h @ h + 1e-3 * jnp.linalg.norm(g) * jnp.eye(2)
            return x - jnp.linalg.solve(damped, h @ g), None

        def newton(x: jax.Array) -> tuple[jax.Array, ...]:
            end = jax.lax.scan(body, x, length=200)[0]
            return end, gradient(end), hessian(end)

        axis = np.linspace(-10, 10, side)
        seeds = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
        ends, gradients, hessians = map(np.asarray, jax.jit(jax.vmap(newton))(seeds))
    small = np.linalg.norm(gradients, axis=1) < 1e-9
    kept = small & (np.max(np.abs(ends), axis=1) <= 10)
    found, first = np.unique(np.round(ends[kept], 6) + 0.0, axis=0, return_index=True)
    eigenvalues = np.linalg.eigvalsh(hessians[kept][first])
    return {"points": found, "eigenvalues": eigenvalues, "starts": side**2}


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-034: each part holds from the lecture's start and from over half of the grid's starts.

    E-67: exactly one critical point has a positive definite Hessian.
    """
    critical, points = results["critical"], results["critical"]["points"]
    minima = (critical["eigenvalues"] > 0).all(axis=1)
    return [
        combine("C-034", parts(results["measures"], int(results["steps"]))),
        exact(
            "E-67",
            minima.sum() == 1,
            f"{critical['starts']} Newton starts in [-10, 10]^2 find {len(points)} critical points "
            f"of Beale's function: {minima.sum()} minimum at {points[minima].tolist()}, the others "
            f"{points[~minima].tolist()} are saddles",
        ),
    ]


def parts(measures: dict[str, Any], steps: int) -> list[Verdict]:
    """The three statements of the claim."""

    def text(key: str, names: tuple[str, ...]) -> str:
        return ", ".join(f"{name} {measures[name][key][0]:.4g}" for name in names)

    def part(holds: np.ndarray, sentence: str) -> Verdict:
        share = holds[1:].mean()
        return exact(
            "C-034", holds[0] and share > 0.5, f"{sentence}; at {100 * share:.0f} % of the starts"
        )

    straight = [
        (measures[name]["ratio"] <= 1.5) & (measures[name]["lowest"] > 0) for name in ADAPTIVE
    ]
    detour = [measures[name]["lowest"] < 0 for name in ("momentum", "nesterov")]
    heavy, look_ahead = measures["momentum"], measures["nesterov"]
    sooner = (look_ahead["hit"] < heavy["hit"]) & (look_ahead["lowest"] > heavy["lowest"])
    arrived = np.all([measures[name]["hit"][0] <= steps for name in ADAPTIVE])
    return [
        part(
            np.all(straight, axis=0) & arrived,
            f"adaptive straight: path over straight line {text('ratio', ADAPTIVE)}, lowest y "
            f"{text('lowest', ADAPTIVE)}",
        ),
        part(
            np.all(detour, axis=0),
            f"momentum and NAG detour: lowest y {text('lowest', ('momentum', 'nesterov'))}",
        ),
        part(
            sooner,
            f"NAG corrects sooner: less deep, and within 0.1 at step "
            f"{text('hit', ('nesterov', 'momentum'))}; of the other starts less deep at "
            f"{100 * (look_ahead['lowest'] > heavy['lowest'])[1:].mean():.0f} %, both",
        ),
    ]


def animate(results: dict[str, Any]) -> Animation:
    """The paths from above; beside them the distance to the minimum."""
    fig, (above, distance) = figure(1, 2, width=5.0, height=4.2)
    draw_surface(
        above, results["grid"], start=(1, 1.5), optimum=(3, 0.5), logarithmic=True, bar=False
    )
    above.lines[-1].set_markerfacecolor("white")  # the palette of the GIF has no star yellow
    above.set(xlabel="x", ylabel="y")
    lines, curves = {}, {}
    for name in METHODS:
        (lines[name],) = above.plot([], [], lw=2, **method(name))
        (curves[name],) = distance.plot([], [], **method(name))
    heads = {
        name: above.plot([], [], "o", ms=6, mec="white", color=method(name)["color"])[0]
        for name in METHODS
    }
    above.legend(handles=list(lines.values()), loc="upper right", ncols=2, fontsize=8)
    draw_measures(distance, results)
    shown = results["shown"]
    last = np.linspace(0, len(shown) - 1, int(results["frames"])).astype(int)

    def show(number: int) -> None:
        frame = last[number]
        for name, points in results["paths"].items():
            so_far = points[: frame + 1]
            lines[name].set_data(so_far[:, 0], so_far[:, 1])
            heads[name].set_data(so_far[-1:, 0], so_far[-1:, 1])
            radius = np.linalg.norm(so_far - np.array([3.0, 0.5]), axis=1)
            curves[name].set_data(shown[: frame + 1] + 1, radius)
        above.set_title(f"Beale's valley, step {shown[frame]:.0f} (redder = lower loss)")

    return Animation(fig, show, len(last), milliseconds=90)


def draw_measures(axes: Axes, results: dict[str, Any]) -> None:
    """Frame of the distance curves, and a table of the measures."""
    axes.set(
        xscale="log", yscale="log", xlim=(1, results["steps"]), ylim=(1e-3, 300),
        xlabel="step + 1", ylabel="distance to the minimum",
    )  # fmt: skip
    axes.axhline(RADIUS, color="black", linestyle=":", linewidth=1)
    axes.set_title(f"dotted: {RADIUS}, the distance that counts as a hit")
    lines = [f"{'':16} {'path/straight':>14} {'lowest y':>9} {'hit at':>7}"]
    for name in METHODS:
        measures = results["measures"][name]
        hit = measures["hit"][0]
        text = f"{hit:.0f}" if hit <= results["steps"] else "never"
        lines.append(
            f"{name:16} {measures['ratio'][0]:14.2f} {measures['lowest'][0]:9.2f} {text:>7}"
        )
    axes.text(
        0.03, 0.97, "\n".join(lines), transform=axes.transAxes,
        va="top", family="monospace", fontsize=8,
    )  # fmt: skip
