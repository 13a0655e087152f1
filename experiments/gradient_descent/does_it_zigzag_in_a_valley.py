"""Does gradient descent zig-zag when the loss is steep one way and flat the other?

The lecture (002:166-173, 003:15, 004:33-38, 004:169) says so of a loss that is sensitive to one
weight and not to the other. On f = (h1 w1^2 + h2 w2^2) / 2 each coordinate is multiplied by
1 - alpha h per step: with alpha just under 2 / h2 the steep one changes sign at every step, the
flat one creeps.

Command: python -m experiments --only does_it_zigzag_in_a_valley      (CPU, about 2 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import draw_path, draw_surface, figure, surface_grid
from experiments.engine.before import Verdict, exact
from experiments.scenes import ZIGZAG_RATE, valley
from jaxtricks import optimizers, surfaces

FIGURES = ("F-019",)
CLAIMS = ("C-007",)


@dataclasses.dataclass(frozen=True)
class Config:
    """`fraction`: the rate as a share of the limit 2 / h2; `steps`: updates of each path."""

    condition_numbers: tuple[float, ...] = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
    fraction: float = 0.95
    steps: int = 60


SMOKE = Config(condition_numbers=(1.0, 10.0, 100.0), steps=20)
FULL = Config(steps=400)


def run(config: Config) -> dict[str, Any]:
    """Paths on the shared valley and on valleys of growing condition number."""
    return {
        "grid": surface_grid(valley()),
        "rate": ZIGZAG_RATE,
        "condition_numbers": config.condition_numbers,
        "shrink_flat_law": np.abs(1 - 2 * config.fraction / np.array(config.condition_numbers)),
        **measure(config),
    }


@functools.partial(jax.jit, static_argnames="config")
def measure(config: Config) -> dict[str, jax.Array]:
    """The path, the flips and the shrink factors, in one program."""
    path = surfaces.trajectory(
        optimizers.gradient_descent(ZIGZAG_RATE), valley(), jnp.array(valley().start), config.steps
    )

    def descend(condition_number: jax.Array) -> jax.Array:
        def loss(w: jax.Array) -> jax.Array:
            return 0.5 * (w[0] ** 2 + condition_number * w[1] ** 2)

        rule = optimizers.gradient_descent(2 * config.fraction / condition_number)
        return surfaces.trajectory(rule, loss, jnp.ones(2), config.steps).points

    points = jax.vmap(descend)(jnp.array(config.condition_numbers))
    flips = jnp.mean(points[:, 1:] * points[:, :-1] < 0, axis=1)
    return {
        "path": path.points,
        "flips_steep": flips[:, 1],
        "flips_flat": flips[:, 0],
        "shrink_flat": (points[:, -1, 0] / points[:, 0, 0]) ** (1 / config.steps),
    }


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if the steep coordinate flips each step and the flat one, at kappa >= 3, never."""
    steep, flat = results["flips_steep"], results["flips_flat"]
    ill = results["condition_numbers"] >= 3
    return [
        exact(
            "C-007",
            np.all(steep == 1) and np.all(flat[ill] == 0),
            f"sign flips per step, condition number {results['condition_numbers'][ill][0]:.0f} to "
            f"{results['condition_numbers'][-1]:.0f}: steep {steep[ill].min():.2f}, "
            f"flat {flat[ill].max():.2f}",
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The path from above, and flips and progress against the condition number."""
    fig, (above, rates) = figure(1, 2, width=4.8)
    draw_surface(above, results["grid"], start=results["path"][0], optimum=(0, 0))
    draw_path(above, results["path"], "gradient descent")
    above.set_title(f"gradient descent, rate {results['rate']} (limit 0.1)")
    above.legend(loc="upper right")
    kappa = results["condition_numbers"]
    rates.semilogx(kappa, results["flips_steep"], "o-", color="#D55E00", label="sign flips, steep")
    rates.semilogx(kappa, results["flips_flat"], "s-", color="#0072B2", label="sign flips, flat")
    shrink = np.abs(results["shrink_flat"])
    rates.semilogx(kappa, shrink, "^-", color="#009E73", label="shrink factor, flat")
    rates.semilogx(kappa, results["shrink_flat_law"], "k:", label=r"law $|1 - \alpha h_1|$")
    rates.set(
        xlabel="condition number $h_2 / h_1$",
        ylabel="flips, or factor, per step",
        ylim=(-0.05, 1.05),
    )
    rates.set_title("each at the same share of its limit $2 / h_2$")
    rates.legend(loc="center right")
    return fig
