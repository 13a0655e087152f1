"""Does gradient descent zig-zag when the loss is steep one way and flat the other?

The lecture (002:166-173, 003:15, 004:33-38, 004:169) says so of a loss that is sensitive to one
weight and not to the other. On f = (h1 w1^2 + h2 w2^2) / 2 with kappa = h2 / h1, descent at its
best rate 2 / (h1 + h2) multiplies both weights by factors of one size in every step: the flat one
creeps, the steep one changes sign. How much of that is a detour is the length of the way over the
straight distance from the start (1, 1) to where the gradient is under 1e-6. From a start that lies
kappa times as far along the flat weight, printed besides, the steep weight has less to swing.

Command: python -m experiments --only does_it_zigzag_in_a_valley      (CPU, about 2 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import (
    Gate,
    Plan,
    Verdict,
    all_of,
    draw_path,
    draw_surface,
    exactly,
    figure,
    method,
    over,
    surface_grid,
)
from experiments.lab.scenes import VALLEY_START, ZIGZAG_RATE, valley
from jaxtricks import optimizers, surfaces

FIGURES = ("F-019",)
CLAIMS = ("C-007",)
PLANS = {
    "C-007": Plan(
        effects={"index": 2.0, "round bowl": 1e-6},
        gates=("pos",),
        settings={"start": (1.0, 1.0), "judged from condition number": 10.0},
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """On the valleys of all `condition_numbers` descent goes on until the gradient's norm is under
    `tolerance`, for at most `max_steps`.

    The drawn path begins at `start` and has `steps` at `rate`.
    """

    condition_numbers: tuple[float, ...] = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
    tolerance: float = 1e-6
    max_steps: int = 100_000
    steps: int = 60
    start: tuple[float, float] = VALLEY_START
    rate: float = ZIGZAG_RATE


SMOKE = Config(condition_numbers=(1.0, 10.0, 100.0), steps=20)
FULL = Config(condition_numbers=(1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3), steps=400)


def run(config: Config) -> dict[str, Any]:
    """The path on the shared valley, and the detour on valleys of growing condition number."""
    rule = optimizers.gradient_descent(config.rate)
    path = surfaces.trajectory(rule, valley(), jnp.array(config.start), config.steps)
    with jax.enable_x64(True):
        kappa = jnp.array(config.condition_numbers)
        one = jnp.ones_like(kappa)
        starts = jnp.stack([jnp.stack([one, one], 1), jnp.stack([kappa, one], 1)])
        detours = jax.vmap(jax.vmap(detour, (0, 0, None, None)), (0, None, None, None))
        index, steps = jax.jit(detours, static_argnums=(2, 3))(
            starts, kappa, config.tolerance, config.max_steps
        )
    return {
        "grid": surface_grid(valley()),
        "path": path.points,
        "rate": config.rate,
        "condition_numbers": config.condition_numbers,
        "index": index[0],
        "index_far_start": index[1],
        "steps": steps[0],
    }


def detour(
    start: jax.Array, kappa: jax.Array, tolerance: float, max_steps: int
) -> tuple[jax.Array, jax.Array]:
    """Length of descent's path at its best rate over the straight distance; and its steps."""
    curvatures = jnp.stack([jnp.ones_like(kappa), kappa])
    rate = 2 / (1 + kappa)

    def unfinished(carry: tuple) -> jax.Array:
        point, _, steps = carry
        return (jnp.linalg.norm(curvatures * point) >= tolerance) & (steps < max_steps)

    def step(carry: tuple) -> tuple:
        point, length, steps = carry
        update = -rate * curvatures * point
        return point + update, length + jnp.linalg.norm(update), steps + 1

    carry = (start, jnp.zeros_like(kappa), 0)
    end, length, steps = jax.lax.while_loop(unfinished, step, carry)
    return length / jnp.linalg.norm(end - start), steps


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if the way is over twice the distance at kappa >= 10, and longer at larger ones."""
    plan = PLANS["C-007"]
    kappa, index = results["condition_numbers"], results["index"]
    ill = kappa >= plan.settings["judged from condition number"]
    least = float(kappa[ill][np.argmin(index[ill])])
    parts = [
        over(
            f"path length over distance, least of condition numbers 10 to {kappa[-1]:g} (at "
            f"{least:g})",
            exactly(index[ill].min()),
            plan.effects["index"],
            panel="b",
        ),
        over(
            "least growth of that from one condition number to the next",
            exactly(np.diff(index).min()),
            0.0,
            panel="b",
        ),
    ]
    bowl = float(index[kappa == 1][0])
    gate = Gate(
        "pos", abs(bowl - 1) < plan.effects["round bowl"], f"a round bowl's index is {bowl:.6f}"
    )
    far = results["index_far_start"][ill]
    return [
        all_of(
            "C-007",
            parts,
            gates=[gate],
            scope=f"quadratic of 2 weights from (1, 1), condition numbers up to {kappa[-1]:g}, "
            "gradient descent at 2 / (h1 + h2) to a gradient of 1e-6, at most "
            f"{results['steps'].max():.0f} updates, float64",
            beside=[
                f"from a start that lies as many times as far along the flat weight as it is "
                f"flatter, the index is {far.min():.3f} to {far.max():.3f}"
            ],
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The path from above, and the detour against the condition number."""
    fig, (above, detours) = figure(1, 2, width=5.6, height=4.2)
    draw_surface(above, results["grid"], start=results["path"][0], optimum=(0, 0))
    draw_path(above, results["path"], "gradient descent")
    above.set_title(f"condition number 20, rate {results['rate']} (limit 0.1)")
    above.legend(loc="upper right")
    kappa, look = results["condition_numbers"], method("gradient descent")
    detours.loglog(kappa, results["index"], **look | {"marker": "o", "label": "from (1, 1)"})
    far = {"marker": "o", "mfc": "white", "linestyle": ":", "label": r"from ($\kappa$, 1)"}
    detours.loglog(kappa, results["index_far_start"], **look | far)
    detours.axhline(2, color="black", linestyle="--", lw=1)
    detours.text(kappa[-1], 2.15, "twice the distance", ha="right", va="bottom")
    detours.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    detours.set_yticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    detours.set(xlabel=r"condition number $\kappa = h_2 / h_1$", ylabel="path length / distance")
    detours.set_title("at the best rate $2 / (h_1 + h_2)$")
    detours.legend(loc="upper left")
    return fig
