"""Can AdaGrad get stuck at a saddle because its rate has decayed?

The lecture says that after a while the rate may be so small that the weights near a saddle no
longer move (002:397). f = x^2 - y^2 turned by 45 degrees, so that the large gradients of the
approach are summed in both coordinates, in float64. AdaGrad starts 1, 10 or 100 from the saddle
along its ridge, and so near the ridge, y0 = 0.01 / distance, that it comes about as close as from
the surface's own start (1, 0.01). Counted are the steps from |x| = 1 until |y| = 1, at the shared
rate 0.5 and the notes' 0.01 (004:207). Stuck: over 100 times the steps that AdaGrad with fresh
sums needs from (1, 0.01). As a control the sums are set to 0 where |x| = 1.

Command: python -m experiments --only can_adagrad_get_stuck_at_a_saddle      (CPU, about 5 s)
"""

import dataclasses
import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    Gate,
    Plan,
    Verdict,
    exactly,
    exists,
    figure,
    ordered,
    over,
)
from experiments.lab.scenes import rule
from jaxtricks import surfaces

CLAIMS = ("C-030",)
PLANS = {
    "C-030": Plan(
        effects={"factor of the steps": 100.0, "factor with sums reset": 10.0},
        gates=("pos",),
        settings={"angle": "45 degrees", "y0": "0.01 / distance", "from": "|x| = 1 to |y| = 1"},
        revised="the limit of the steps was raised, as it censored two arms of the first run",
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """AdaGrad has each of `rates` and starts at each of `distances` from the saddle, for at most
    `limit` steps.

    The saddle is turned by `angle` degrees. A start is `offset` / distance from the ridge.
    """

    rates: tuple[float, ...] = (0.01, 0.5)
    distances: tuple[float, ...] = (1.0, 10.0, 100.0)
    limit: int = 1_000_000_000
    angle: float = 45.0
    offset: float = 0.01


SMOKE = Config(rates=(0.5,), distances=(1.0, 10.0))
FULL = Config(distances=(1.0, 10.0, 100.0, 200.0))


class Walk(NamedTuple):
    """Where AdaGrad is: the steps so far, the point, and the rule's state."""

    steps: jax.Array
    point: jax.Array
    state: Any


def run(config: Config) -> dict[str, Any]:
    """By rate and distance: the steps to come near, to leave, and to leave with sums reset."""
    with jax.enable_x64(True):
        rows = [follow(rate, config) for rate in config.rates]
    return {
        "rates": config.rates,
        "distances": config.distances,
        "angle": config.angle,
        "offset": config.offset,
        **{key: np.array([row[key] for row in rows]) for key in rows[0]},
    }


def follow(rate: float, config: Config) -> dict[str, Any]:
    """All distances at one rate, and the steps from the surface's own start with fresh sums."""
    fresh = int(leave(config, rate, begin(config, rate, 1.0)).steps)
    found: dict[str, list] = {key: [] for key in ("approach", "steps", "reset", "effective")}
    for distance in config.distances:
        near = approach(config, rate, begin(config, rate, distance))
        here = near._replace(steps=jnp.zeros_like(near.steps))
        away = leave(config, rate, here)
        again = here._replace(state=rule("adagrad", rate).init(here.point))
        largest = jnp.max(away.state[0].sum_of_squares)
        found["approach"].append(int(near.steps))
        found["steps"].append(int(away.steps))
        found["reset"].append(int(leave(config, rate, again).steps))
        found["effective"].append(float(rate / jnp.sqrt(largest)))
    return {"fresh": fresh, **found}


def begin(config: Config, rate: float, distance: float) -> Walk:
    """AdaGrad with fresh sums, `distance` from the saddle and near the ridge."""
    point = turn(jnp.array([distance, config.offset / distance]), -config.angle)
    return Walk(jnp.zeros((), int), point, rule("adagrad", rate).init(point))


def turn(point: jax.Array, degrees: float) -> jax.Array:
    """The point's coordinates along the saddle's own axes, or back with a negative angle."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return jnp.array([[cosine, sine], [-sine, cosine]]) @ point


def step(config: Config, rate: jax.Array, walk: Walk) -> Walk:
    """One update."""
    saddle = surfaces.saddle(angle=math.radians(config.angle))
    gradient = jax.grad(saddle.loss)(walk.point)
    update, state = rule("adagrad", rate).update(gradient, walk.state)
    return Walk(walk.steps + 1, walk.point + update, state)


@functools.partial(jax.jit, static_argnums=0)
def approach(config: Config, rate: jax.Array, walk: Walk) -> Walk:
    """Until |x| is 1 or less."""

    def far(walk: Walk) -> jax.Array:
        x, _ = turn(walk.point, config.angle)
        return (jnp.abs(x) > 1 + 1e-12) & (walk.steps < config.limit)

    return jax.lax.while_loop(far, lambda walk: step(config, rate, walk), walk)


@functools.partial(jax.jit, static_argnums=0)
def leave(config: Config, rate: jax.Array, walk: Walk) -> Walk:
    """Until |y| is 1 or more."""

    def near(walk: Walk) -> jax.Array:
        _, y = turn(walk.point, config.angle)
        return (jnp.abs(y) < 1) & (walk.steps < config.limit)

    return jax.lax.while_loop(near, lambda walk: step(config, rate, walk), walk)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-030 says "may": one setting in which AdaGrad is stuck is enough."""
    plan = PLANS["C-030"]
    fresh = results["fresh"][:, None]
    factors, reset = results["steps"] / fresh, results["reset"] / fresh
    parts, beside = [], []
    for i, rate in enumerate(results["rates"]):
        for j, distance in enumerate(results["distances"]):
            where = f"from distance {distance:g} at rate {rate:g}"
            text = f"steps to leave over those with fresh sums, {where}"
            limit = plan.effects["factor of the steps"]
            parts.append(over(text, exactly(factors[i, j]), limit, panel="a"))
            beside.append(
                f"{where}: near after {results['approach'][i, j]:.0f} steps, leaves "
                f"{results['steps'][i, j]:.0f} steps later, with sums reset "
                f"{results['reset'][i, j]:.0f}"
            )
    worst = float(reset.max())
    return [
        exists(
            "C-030",
            parts,
            scope=f"x² − y² turned by {results['angle']:g}°, no noise, float64; y0 = "
            f"{results['offset']:g} / distance",
            gates=[
                Gate(
                    "pos",
                    worst < plan.effects["factor with sums reset"],
                    f"with sums reset at |x| = 1 it leaves after at most {worst:.3g} times the "
                    "steps from (1, 0.01)",
                )
            ],
            beside=beside,
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Steps to leave over the fresh ones, and AdaGrad's effective rate."""
    fig, (factor, effective) = figure(1, 2, width=5.6, height=4.6)
    draw_factors(factor, results)
    for i, rate in enumerate(results["rates"]):
        colour, label = ordered("learning rate", rate), f"rate {rate:g}"
        left = results["effective"][i]
        effective.loglog(results["distances"], left, "o-", color=colour, label=label)
    effective.set(xlabel="distance of the start", ylabel="effective rate as it leaves")
    effective.set_title("What is left of the rate")
    effective.legend()
    for axes in (factor, effective):
        axes.set_xticks(results["distances"], [f"{d:g}" for d in results["distances"]])
        axes.minorticks_off()
    return fig


def draw_factors(axes: Axes, results: dict[str, Any]) -> None:
    """Solid: the sums are kept. Dashed: they are reset."""
    for i, rate in enumerate(results["rates"]):
        fresh = results["fresh"][i]
        look = {"color": ordered("learning rate", rate), "markersize": 9 - 3 * i}
        axes.loglog(
            results["distances"], results["steps"][i] / fresh, "o-",
            label=f"rate {rate:g}, sums kept", **look,
        )  # fmt: skip
        axes.loglog(
            results["distances"], results["reset"][i] / fresh, "s--",
            label=f"rate {rate:g}, sums reset", **look,
        )  # fmt: skip
    axes.axhline(100, color="black", linestyle=":", linewidth=1)
    axes.text(results["distances"][0], 115, "stuck: over 100", fontsize=10.5)
    axes.set(xlabel="distance of the start", ylabel="steps to leave / fresh steps")
    axes.set_title("Steps from |x| = 1 to |y| = 1")
    axes.legend(loc="upper left", bbox_to_anchor=(0, 0.92))
    axes.set_ylim(0.5, 2e5)
