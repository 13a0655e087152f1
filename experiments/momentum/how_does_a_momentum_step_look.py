"""How do a momentum step and a Nesterov step look as arrows?

The vector diagrams of 002:263-295, 003:23, 004:61-85 and 004:152, from numbers: one iterate of
momentum on the turned valley, its velocity, its gradient, and the step taken. Three readings are
checked along the path: the resultant is rho v - alpha g (not "momentum minus gradient", 004:63);
Nesterov's gradient is taken at x + rho v, which is not "the next point" of 002:289: that lies
alpha |g| further on.

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

from experiments.engine import draw_surface, figure, surface_grid
from experiments.engine.before import Verdict, exact
from experiments.scenes import DECAY, RATES, rotated_valley
from jaxtricks import optimizers, surfaces

FIGURES = ("F-025", "F-026")
CLAIMS = ()
ERRATA = ("E-61", "E-96")

RATE = RATES["momentum"]
ARROWS = {"rho v": "#009E73", "gradient": "#D55E00", "step": "#000000"}


@dataclasses.dataclass(frozen=True)
class Config:
    """`iterate`: the update that is drawn; `steps`: of the paths; `literal_steps`: of 004:63."""

    iterate: int = 3
    steps: int = 30
    literal_steps: int = 5


SMOKE = Config(steps=10)
FULL = Config(steps=300)


def run(config: Config) -> dict[str, Any]:
    """Momentum's path, the arrows of both rules at one iterate, and the literal readings."""
    with jax.enable_x64(True):
        found = measure(config)
        corners = [found["x"], found["x"] + found["rho_v"], found["x"] + found["momentum_arrow"]]
        return {"grid": surface_grid(rotated_valley(), view_of(*corners)), **found}


@functools.partial(jax.jit, static_argnames="config")
def measure(config: Config) -> dict[str, Any]:
    """All numbers, in one program."""
    start, gradient = jnp.array(rotated_valley().start), jax.grad(rotated_valley())
    rule = optimizers.momentum(RATE, decay=DECAY, lr_inside=True)
    path = surfaces.trajectory(rule, rotated_valley(), start, config.steps)
    x, v = path.points[config.iterate], path.updates[config.iterate - 1]
    ahead = optimizers.lookahead_point(x, v, DECAY)
    state = optax.tree.set(rule.init(x), velocity=v)
    momentum_step, _ = rule.update(gradient(x), state)
    nesterov_step, _ = rule.update(gradient(ahead), state)
    points, lookaheads, steps = nesterov_path(start, config.steps)
    ahead_gradients = jax.vmap(gradient)(lookaheads)
    next_gradients = jax.vmap(gradient)(points + steps)
    lengths = jnp.linalg.norm(ahead_gradients, axis=1)
    return {
        "x": x,
        "rho_v": DECAY * v,
        "momentum_arrow": -RATE * gradient(x),
        "nesterov_arrow": -RATE * gradient(ahead),
        "momentum_step": momentum_step,
        "nesterov_step": nesterov_step,
        "distance_of_points": jnp.linalg.norm(points + steps - lookaheads, axis=1),
        "alpha_gradient": RATE * lengths,
        "gradient_difference": jnp.linalg.norm(next_gradients - ahead_gradients, axis=1) / lengths,
        "literal_losses": literal_losses(config.literal_steps),
        "right_losses": path.losses[: config.literal_steps + 1],
    }


def view_of(*points: jax.Array) -> list[tuple[float, float]]:
    """A square window around the points."""
    corners = np.stack([np.asarray(point) for point in points])
    middle = (corners.max(axis=0) + corners.min(axis=0)) / 2
    half = 0.75 * np.ptp(corners, axis=0).max()
    return [(float(c - half), float(c + half)) for c in middle]


def nesterov_path(start: jax.Array, steps: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Points, look-ahead points and steps of the first form (002:293)."""
    rule = optimizers.momentum(RATE, decay=DECAY, lr_inside=True)

    def body(carry: Any, _: None) -> tuple[Any, tuple[jax.Array, ...]]:
        x, state = carry
        ahead = optimizers.lookahead_point(x, optax.tree.get(state, "velocity"), DECAY)
        step, state = rule.update(jax.grad(rotated_valley())(ahead), state)
        return (x + step, state), (x, ahead, step)

    return jax.lax.scan(body, (start, rule.init(start)), length=steps)[1]


def literal_losses(steps: int) -> jax.Array:
    """004:63 to the letter: v <- v - g, x <- x + v."""
    x, v = jnp.array(rotated_valley().start), jnp.zeros(2)
    losses = [rotated_valley()(x)]
    for _ in range(steps):
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
        exact(
            "E-61",
            gap < 1e-6 and difference > 0.01,
            f"look-ahead point and next point are alpha |g| apart, and their "
            f"gradients differ by {100 * difference:.0f} % (median over "
            f"{len(results['alpha_gradient'])} steps)",
        ),
        exact(
            "E-96",
            literal[-1] > 10 * literal[0] and right[-1] < right[0],
            f"loss {literal[0]:.3g} goes to {literal[-1]:.3g} in {len(literal) - 1} steps of "
            f"momentum minus gradient, to {right[-1]:.3g} with rho = {DECAY}, eta = {RATE}",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Both diagrams over the contour."""
    fig, axes = figure(1, 2, width=5.2, height=4.6)
    x, lead = results["x"], results["x"] + results["rho_v"]
    for panel, name in zip(axes, ("momentum", "nesterov"), strict=True):
        draw_surface(panel, results["grid"], bar=False)
        tail = x if name == "momentum" else lead
        arrow(panel, x, results["rho_v"], "rho v", r"velocity $\rho v$")
        where = "x" if name == "momentum" else r"x + \rho v"
        arrow(panel, tail, results[f"{name}_arrow"], "gradient", rf"$-\alpha \nabla f({where})$")
        arrow(panel, x, results[f"{name}_step"], "step", "actual step")
        corner = x + results[f"{name}_step"]
        other = x + results["momentum_arrow"] if name == "momentum" else lead
        for from_point in {tuple(lead), tuple(other)} if name == "momentum" else ():
            panel.plot(*zip(from_point, corner, strict=True), "k:", linewidth=0.9)
        panel.plot(*x, "o", mfc="white", mec="black", ms=8, label="$x$", zorder=6)
        panel.plot(*corner, "ks", ms=6, label=r"next point", zorder=6)
        if name == "nesterov":
            panel.plot(*lead, "D", mfc="#CC79A7", mec="black", ms=7, zorder=6, label=r"$x+\rho v$")
        panel.set_aspect("equal")
        panel.legend(loc="lower left", framealpha=0.9, frameon=True)
    fig.suptitle("redder = lower loss; the optimum, (0, 0), lies above the picture")
    axes[0].set_title(r"momentum: step = $\rho v - \alpha \nabla f(x)$")
    axes[1].set_title(r"Nesterov: step = $\rho v - \alpha \nabla f(x + \rho v)$")
    return fig


def arrow(axes: Axes, tail: np.ndarray, vector: np.ndarray, kind: str, label: str) -> None:
    axes.quiver(
        *tail, *vector, angles="xy", scale_units="xy", scale=1, width=0.011, color=ARROWS[kind],
        label=label, zorder=5,
    )  # fmt: skip
