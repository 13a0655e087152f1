"""Do adaptive methods go straight down a long valley while momentum takes a detour?

The lecture's animation (004:256-268): AdaGrad, AdaDelta and RMSProp "go straight to the minimum on
the right", momentum (green) and NAG (purple) first shoot into another narrow region, and NAG turns
sooner. Beale's function from (1, 1.5), in float32; each rule at five rates, half to twice its own:
0.003 for gradient descent, momentum and NAG (decay 0.9), AdaGrad 0.5, RMSProp 0.02, and AdaDelta
0.08, because a pilot showed that it does not arrive at its usual 1. All paths are measured up to
where they come within 0.1 of the minimum. Straight: at most 1.5 times the way from the start to the
minimum. Detour: under y = 0. Correcting: the step at which y is lowest. The "other region" is a
valley: a scan for critical points in [-10, 10]^2 by damped Newton steps in float64 says how many
minima there are. The picture shows the middle rates.

Command: python -m experiments --only does_a_long_valley_mislead_momentum      (CPU, about 4 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text

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
    under,
)
from experiments.lab.scenes import DECAY, rule, weights
from jaxtricks import surfaces

FIGURES = ("F-038",)
CLAIMS = ("C-034",)
ERRATA = ("E-67",)
METHODS = ("gradient descent", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop")
ADAPTIVE = ("adagrad", "adadelta", "rmsprop")
VIEW = ((-0.5, 4.0), (-1.6, 2.0))


@dataclasses.dataclass(frozen=True)
class Config:
    """Each rule has `steps` updates from `start` at its rate of `rates` times each of `factors`.

    `decay` is the momentum of momentum and NAG, from 0 to under 1; a path arrives within `radius`
    of the minimum; 1 must be among the factors, for the picture. `scan` is the number of starts per
    side of the Newton scan, and `frames` that of the film's pictures.
    """

    steps: int = 10_000
    scan: int = 41
    frames: int = 50
    start: tuple[float, float] = (1.0, 1.5)
    rates: tuple[tuple[str, float], ...] = (
        ("gradient descent", 0.003), ("momentum", 0.003), ("nesterov", 0.003),
        ("adagrad", 0.5), ("adadelta", 0.08), ("rmsprop", 0.02),
    )  # fmt: skip
    factors: tuple[float, ...] = (0.5, 2**-0.5, 1.0, 2**0.5, 2.0)
    decay: float = DECAY
    radius: float = 0.1


SMOKE = Config(steps=300, scan=9, frames=2)
FULL = Config(steps=50_000, scan=201)
PLANS = {
    "C-034": Plan(
        effects={"path over straight line": 1.5, "lowest y": 0.0, "steps sooner": 0.0},
        gates=("arrival",),
        settings={
            "start": "(1, 1.5)",
            "rates": dict(Config.rates),
            "times": Config.factors,
            "arrival": Config.radius,
        },
        revised="Nesterov's way is measured at the weights, not at the look-ahead points",
    )
}


def run(config: Config) -> dict[str, Any]:
    """Paths at the middle rates, measures at all five, critical points."""
    beale = surfaces.beale()
    points = jax.jit(follow, static_argnums=0)(config)
    paths = {
        name: weights(name, np.asarray(found), decay=config.decay) for name, found in points.items()
    }
    shown, middle = drawn_steps(config.steps), config.factors.index(1.0)
    return {
        "grid": surface_grid(beale, VIEW),
        "shown": shown,
        "paths": {name: found[middle, shown] for name, found in paths.items()},
        "measures": {name: measure(found, config.radius) for name, found in paths.items()},
        "steps": config.steps,
        "start": config.start,
        "factors": config.factors,
        "middle": middle,
        "radius": config.radius,
        "frames": config.frames,
        "critical": critical_points(config.scan),
    }


def follow(config: Config) -> dict[str, jax.Array]:
    """The points of all paths by method, [rate, step, 2]."""
    beale = surfaces.beale()

    def one(name: str, rate: jax.Array) -> jax.Array:
        ours, start = rule(name, rate, decay=config.decay), jnp.array(config.start)
        return surfaces.trajectory(ours, beale.loss, start, config.steps).points

    return {
        name: jax.vmap(lambda rate, name=name: one(name, rate))(rate * jnp.array(config.factors))
        for name, rate in config.rates
    }


def drawn_steps(steps: int) -> np.ndarray:
    """Steps that are drawn: each of the first 60, then ever fewer."""
    late = np.logspace(np.log10(60), np.log10(steps), 60).astype(int)
    return np.unique(np.concatenate([np.arange(60), late]))


def measure(points: np.ndarray, within: float) -> dict[str, np.ndarray]:
    """By rate, up to the first step within a radius of the minimum: path over straight distance,
    lowest y and its step; and that first step, one past the last if there is none."""
    points = np.clip(np.nan_to_num(points, nan=1e6), -1e6, 1e6)
    radius = np.linalg.norm(points - np.array([3.0, 0.5]), axis=-1)
    inside = radius < within
    hit = np.where(inside.any(axis=1), inside.argmax(axis=1), points.shape[1])
    before = np.arange(points.shape[1]) <= hit[:, None]
    length = (np.linalg.norm(np.diff(points, axis=1), axis=-1) * before[:, 1:]).sum(axis=1)
    height = np.where(before, points[..., 1], np.inf)
    return {
        "ratio": length / radius[:, 0],
        "lowest": height.min(axis=1),
        "turn": height.argmin(axis=1),
        "hit": hit,
    }


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
    """C-034: the three statements at all rates. E-67: exactly one critical point has a positive
    definite Hessian."""
    critical, points = results["critical"], results["critical"]["points"]
    minima = (critical["eigenvalues"] > 0).all(axis=1)
    measures, steps = results["measures"], int(results["steps"])
    where = " and ".join(f"({x:g}, {y:g})" for x, y in points[minima])
    missed = [name for name in METHODS if (measures[name]["hit"] > steps).any()]
    text, (x, y) = ", ".join(missed) or "no rule", results["start"]
    return [
        all_of(
            "C-034",
            parts(measures),
            scope=f"Beale's function from ({x:g}, {y:g}), {len(results['factors'])} rates a "
            "rule, half to twice its own, no noise, float32",
            gates=[Gate("arrival", not missed, f"{text} misses the minimum within {steps} steps")],
            beside=beside(results),
        ),
        demonstration(
            "E-67",
            bool(minima.sum() == 1),
            f"{critical['starts']} Newton starts in [-10, 10]² find {len(points)} critical points "
            f"of Beale's function: {minima.sum()} minimum at {where}; the others are saddles",
            panel="a",
        ),
    ]


def parts(measures: dict[str, Any]) -> list[Part]:
    """Adaptive rules go straight, momentum and NAG do not, and NAG turns sooner."""
    effects = PLANS["C-034"].effects
    heavy = ("momentum", "nesterov")
    return [
        under(
            "path over straight line, the largest of the three adaptive rules",
            exactly(np.max([measures[name]["ratio"] for name in ADAPTIVE])),
            effects["path over straight line"],
            panel="b",
        ),
        under(
            "lowest y of momentum and NAG, the highest of all rates",
            exactly(np.max([measures[name]["lowest"] for name in heavy])),
            effects["lowest y"],
            panel="a",
        ),
        over(
            "steps by which NAG's y turns up before momentum's, the fewest of all rates",
            exactly(np.min(measures["momentum"]["turn"] - measures["nesterov"]["turn"])),
            effects["steps sooner"],
            panel="a",
        ),
    ]


def beside(results: dict[str, Any]) -> list[str]:
    """What each rule measures at its rates, from half to twice its own."""

    def row(values: np.ndarray, digits: int) -> str:
        return ", ".join(f"{value:.{digits}f}" for value in values)

    found = [
        f"{name}: path over straight line {row(found['ratio'], 2)}; lowest y "
        f"{row(found['lowest'], 2)}; y turns up at step {row(found['turn'], 0)}; within "
        f"{results['radius']} at step {row(found['hit'], 0)}"
        for name, found in results["measures"].items()
    ]
    ratios = np.array([results["measures"][name]["ratio"] for name in ADAPTIVE])
    counts = (f"{int((ratios < bound).sum())} under {bound}" for bound in (1.2, 1.5, 2.0))
    return [*found, f"of {ratios.size} adaptive paths are " + ", ".join(counts)]


def animate(results: dict[str, Any]) -> Animation:
    """The paths from above; beside them the distance to the minimum."""
    fig, (above, distance) = figure(1, 2, width=6.0, height=4.8)
    draw_surface(
        above,
        results["grid"],
        start=results["start"],
        optimum=(3, 0.5),
        logarithmic=True,
        bar=False,
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
    above.legend(handles=list(lines.values()), loc="upper right", ncols=2)
    above.set_title("Beale's valley, the middle rates")
    count = above.text(0.98, 0.04, "", transform=above.transAxes, ha="right")
    table = draw_measures(distance, results)
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
        count.set_text(clock(shown[last], number))
        table.set_visible(number == len(last) - 1)

    return Animation(fig, show, len(last), milliseconds=90)


def draw_measures(axes: Axes, results: dict[str, Any]) -> Text:
    """Frame of the distance curves; gives the table of the ways' lengths."""
    axes.set(
        xscale="log", yscale="log", xlim=(1, results["steps"]), ylim=(1e-3, 3000),
        xlabel="step + 1", ylabel="distance to the minimum",
    )  # fmt: skip
    axes.axhline(results["radius"], color="black", linestyle=":", linewidth=1)
    axes.set_title(
        f"Path (all {len(results['factors'])} rates), arrival within {results['radius']} (dotted)"
    )
    middle = results["middle"]
    lines = [f"{'':16} path / straight     arrives"]
    for name in METHODS:
        ratios, hit = results["measures"][name]["ratio"], results["measures"][name]["hit"][middle]
        arrived = f"step {hit:.0f}" if hit <= results["steps"] else "never"
        spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
        lines.append(f"{name:16} {ratios[middle]:.2f} {spread:14} {arrived}")
    return axes.text(
        0.02, 0.98, "\n".join(lines), transform=axes.transAxes, va="top", family="monospace",
        fontsize=9.5,
    )  # fmt: skip
