"""How do a momentum step and a Nesterov step look as arrows?

The vector diagrams of 002:263-295, 003:23, 004:61-85 and 004:152, from numbers: one iterate of
momentum on the turned valley at rate 0.02 and rho = 0.9, in float64, with the velocity, the
gradient and the step that both rules take from there. Two sentences of the notes are taken at
their word. "Momentum minus the current gradient" (004:63) is run as v - g, without rho and without
the rate. "The gradient of the next point" (002:289) is compared with the gradient that Nesterov's
rule takes at the look-ahead point x + rho v, along a whole path.

Command: python -m experiments --only how_does_a_momentum_step_look      (CPU, about 1 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, Verdict, demonstration, draw_surface, figure, surface_grid
from experiments.lab.scenes import DECAY, RATES, ROTATED_START, rotated_valley
from jaxtricks import optimizers, surfaces

FIGURES = ("F-025", "F-026")
CLAIMS = ()
ERRATA = ("E-61", "E-96")

ARROWS = {"velocity": COLOURS[2], "gradient": COLOURS[5], "step": "black"}


@dataclasses.dataclass(frozen=True)
class Config:
    """Paths of `steps` updates begin at `start`, at `rate` and with the momentum `decay` in [0, 1).

    The step after update number `iterate` is drawn, and 004:63 is run for `literal_steps`.
    """

    iterate: int = 3
    steps: int = 30
    literal_steps: int = 5
    start: tuple[float, float] = ROTATED_START
    rate: float = RATES["momentum"]
    decay: float = DECAY


SMOKE = Config(steps=10)
FULL = Config(steps=300)


def run(config: Config) -> dict[str, Any]:
    """Momentum's path, the arrows of both rules at one iterate, and the literal readings."""
    with jax.enable_x64(True):
        found = measure(config)
        corners = [found["x"], found["x"] + found["rho_v"], found["x"] + found["momentum_arrow"]]
        grid = surface_grid(rotated_valley(), view_of(*corners))
        return {"grid": grid, "rate": config.rate, "decay": config.decay, **found}


@functools.partial(jax.jit, static_argnames="config")
def measure(config: Config) -> dict[str, Any]:
    """All numbers, in one program."""
    start, gradient = jnp.array(config.start), jax.grad(rotated_valley())
    rule = optimizers.momentum(config.rate, decay=config.decay, lr_inside=True)
    path = surfaces.trajectory(rule, rotated_valley(), start, config.steps)
    x, v = path.points[config.iterate], path.updates[config.iterate - 1]
    ahead = optimizers.lookahead_point(x, v, config.decay)
    state = optax.tree.set(rule.init(x), velocity=v)
    momentum_step, _ = rule.update(gradient(x), state)
    nesterov_step, _ = rule.update(gradient(ahead), state)
    points, lookaheads, steps = nesterov_path(config)
    ahead_gradients = jax.vmap(gradient)(lookaheads)
    next_gradients = jax.vmap(gradient)(points + steps)
    lengths = jnp.linalg.norm(ahead_gradients, axis=1)
    return {
        "x": x,
        "rho_v": config.decay * v,
        "momentum_arrow": -config.rate * gradient(x),
        "nesterov_arrow": -config.rate * gradient(ahead),
        "momentum_step": momentum_step,
        "nesterov_step": nesterov_step,
        "distance_of_points": jnp.linalg.norm(points + steps - lookaheads, axis=1),
        "alpha_gradient": config.rate * lengths,
        "gradient_difference": jnp.linalg.norm(next_gradients - ahead_gradients, axis=1) / lengths,
        "literal_losses": literal_losses(config),
        "right_losses": path.losses[: config.literal_steps + 1],
    }


def view_of(*points: jax.Array) -> list[tuple[float, float]]:
    """A square window around the points."""
    corners = np.stack([np.asarray(point) for point in points])
    middle = (corners.max(axis=0) + corners.min(axis=0)) / 2
    half = 0.75 * np.ptp(corners, axis=0).max()
    return [(float(c - half), float(c + half)) for c in middle]


def nesterov_path(config: Config) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Points, look-ahead points and steps of the first form (002:293)."""
    rule = optimizers.momentum(config.rate, decay=config.decay, lr_inside=True)
    start = jnp.array(config.start)

    def body(carry: Any, _: None) -> tuple[Any, tuple[jax.Array, ...]]:
        x, state = carry
        ahead = optimizers.lookahead_point(x, optax.tree.get(state, "velocity"), config.decay)
        step, state = rule.update(jax.grad(rotated_valley())(ahead), state)
        return (x + step, state), (x, ahead, step)

    return jax.lax.scan(body, (start, rule.init(start)), length=config.steps)[1]


def literal_losses(config: Config) -> jax.Array:
    """004:63 to the letter: v <- v - g, x <- x + v."""
    x, v = jnp.array(config.start), jnp.zeros(2)
    losses = [rotated_valley()(x)]
    for _ in range(config.literal_steps):
        v = v - jax.grad(rotated_valley())(x)
        x = x + v
        losses.append(rotated_valley()(x))
    return jnp.stack(losses)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-61: the points are alpha |g| apart and their gradients differ; E-96: it must diverge."""
    gap = np.abs(results["distance_of_points"] / results["alpha_gradient"] - 1).max()
    difference = np.median(results["gradient_difference"])
    literal, right = results["literal_losses"], results["right_losses"]
    return [
        demonstration(
            "E-61",
            bool(gap < 1e-6 and difference > 0.01),
            "the look-ahead point and the next point lie alpha times the gradient apart, and their "
            f"gradients differ by {100 * difference:.0f} %, the median of "
            f"{len(results['alpha_gradient'])} steps",
            panel="b",
        ),
        demonstration(
            "E-96",
            bool(literal[-1] > 10 * literal[0] and right[-1] < right[0]),
            f"in {len(literal) - 1} steps momentum minus gradient takes the loss from "
            f"{literal[0]:.3g} to {literal[-1]:.2g}, and with rho = {results['decay']} and "
            f"the rate {results['rate']} it comes to {right[-1]:.3g}",
            panel="a",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Both diagrams over the contour."""
    fig, (heavy, ahead) = figure(1, 2, width=5.6, height=5.4)
    x, lead = results["x"], results["x"] + results["rho_v"]
    for panel, name in ((heavy, "momentum"), (ahead, "nesterov")):
        draw_surface(panel, results["grid"], bar=False)
        arrow(panel, x, results["rho_v"], "velocity", r"$\rho v$")
        arrow(panel, x, results[f"{name}_step"], "step", "step", "above")
        panel.plot(*(x + results[f"{name}_step"]), "ks", ms=7, label="next point", zorder=6)
        panel.plot(*x, "o", mfc="white", mec="black", ms=8, label="$x$", zorder=6)
        panel.set_aspect("equal")
        panel.locator_params(axis="x", nbins=4)
    arrow(heavy, x, results["momentum_arrow"], "gradient", r"$-\alpha \nabla f(x)$")
    for corner in (lead, x + results["momentum_arrow"]):
        heavy.plot(*zip(corner, x + results["momentum_step"], strict=True), "k:", linewidth=1)
    arrow(
        ahead,
        lead,
        results["nesterov_arrow"],
        "gradient",
        r"$-\alpha \nabla f(x + \rho v)$",
        "right",
    )
    ahead.plot(*lead, "D", mfc=COLOURS[3], mec="white", ms=8, zorder=6, label=r"$x+\rho v$")
    heavy.set_title(r"momentum: $\rho v-\alpha\nabla f(x)$")
    ahead.set_title(r"Nesterov: $\rho v-\alpha\nabla f(x+\rho v)$")
    for panel in (heavy, ahead):
        panel.legend(loc="lower left", frameon=True, title="redder = lower loss")
    return fig


def arrow(
    axes: Axes, tail: np.ndarray, vector: np.ndarray, kind: str, label: str, side: str = "left"
) -> None:
    """An arrow, with its name beside its middle."""
    axes.quiver(
        *tail, *vector, angles="xy", scale_units="xy", scale=1, width=0.012, color=ARROWS[kind],
        edgecolor="white", linewidth=0.6, zorder=5,
    )  # fmt: skip
    places = {"left": ((-10, -6), "right"), "right": ((12, 4), "left"), "above": ((4, 12), "left")}
    offset, aligned = places[side]
    axes.annotate(
        label, tail + vector / 2, xytext=offset, textcoords="offset points", color=ARROWS[kind],
        ha=aligned, va="center", fontsize=13, zorder=7,
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1},
    )  # fmt: skip
