"""Can AdaGrad get stuck at a saddle because its rate has decayed?

The lecture says that after a while the rate may be so small that the weights near a saddle no
longer move (002:397). f = x^2 - y^2 turned by 45 degrees, so that the large gradients of the
approach are summed in both coordinates; start 10 (and 1) from the saddle and y0 off its ridge; at
the shared rate 0.5 and the notes' 0.01 (004:207), in float64. Gradient descent has rate 0.02.
Stuck: |y| is still under 1 after 10^4 steps from y0 = 0.01, and gradient descent has left.

Command: python -m experiments --only can_adagrad_get_stuck_at_a_saddle      (CPU, about 2 s)
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.engine import figure, method
from experiments.engine.before import Verdict, exact
from experiments.scenes import RATES, rule
from jaxtricks import surfaces
from jaxtricks.optimizers import effective_learning_rate

CLAIMS = ("C-030",)
ANGLE = math.pi / 4
ARMS = ((0.5, 1.0), (0.5, 10.0), (0.01, 1.0), (0.01, 10.0))  # AdaGrad's rate, start's distance


@dataclasses.dataclass(frozen=True)
class Config:
    """`offsets`: y0."""

    steps: int = 10_000
    offsets: tuple[float, ...] = (1e-2, 1e-4, 1e-6, 1e-8)


SMOKE = Config(steps=1000, offsets=(1e-2, 1e-4))
FULL = Config(steps=1_000_000)


def run(config: Config) -> dict[str, Any]:
    """|y| over the steps, the steps to leave, and AdaGrad's effective rate."""
    shown = np.unique(np.logspace(0, np.log10(config.steps), 100).astype(int))
    with jax.enable_x64(True):
        (plain, left, _), arms = jax.tree.map(np.asarray, jax.jit(both, static_argnums=0)(config))
    along, adagrad_left, effective = arms
    return {
        "shown": shown,
        "steps": config.steps,
        "offsets": config.offsets,
        "plain": plain[shown],
        "plain_left": left,
        "arms": ARMS,
        "along": along[:, shown],
        "left": adagrad_left,
        "effective": effective[:, shown - 1],
    }


def both(config: Config) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
    """Gradient descent from distance 10, and the arms of AdaGrad."""
    rates, distances = jnp.array(ARMS).T
    plain = follow("gradient descent", RATES["gradient descent"], 10.0, config)
    arms = jax.vmap(lambda rate, distance: follow("adagrad", rate, distance, config))
    return plain, arms(rates, distances)


def follow(
    name: str, rate: float | jax.Array, distance: float | jax.Array, config: Config
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """From the first y0: |y| and the effective rate; for each y0 the steps until |y| = 1."""
    surface = surfaces.saddle(angle=ANGLE)
    turn = jnp.array([[math.cos(ANGLE), -math.sin(ANGLE)], [math.sin(ANGLE), math.cos(ANGLE)]])

    def one(offset: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        start = turn @ jnp.stack([jnp.asarray(distance), offset])
        path = surfaces.trajectory(rule(name, rate), surface.loss, start, config.steps)
        along = jnp.minimum(jnp.abs(path.points @ turn[:, 1]), 1.0)  # later it overflows
        away = along >= 1
        squares = jnp.cumsum(path.gradients[:, 0] ** 2)
        left = jnp.where(away.any(), away.argmax(), config.steps + 1)
        return along, left, effective_learning_rate(rate, squares)

    along, left, effective = jax.vmap(one)(jnp.array(config.offsets))
    return along[0], left, effective[0]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """ "May": confirmed if one of the two rates is stuck from distance 10, and GD is not."""
    budget = results["steps"]
    left = {tuple(arm): row[0] for arm, row in zip(results["arms"], results["left"], strict=True)}
    plain = results["plain_left"][0]
    far = {rate: left[rate, 10.0] for rate in (0.5, 0.01)}

    def text(steps: float) -> str:
        return f"{steps:.0f}" if steps <= budget else f"more than {budget}"

    return [
        exact(
            "C-030",
            max(far.values()) > budget >= plain,
            f"saddle turned by 45 degrees, from distance 10 and y0 = 0.01: AdaGrad at the notes' "
            f"rate 0.01 needs {text(far[0.01])} steps to leave, at 0.5 {text(far[0.5])} (from "
            f"distance 1: {text(left[0.01, 1.0])} and {text(left[0.5, 1.0])}), gradient descent "
            f"{text(plain)}",
        )
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Distance from the ridge, effective rate, and steps to leave against y0."""
    fig, (along, effective, left) = figure(1, 3, width=4.3, height=3.5)
    along.loglog(results["shown"], results["plain"], **method("gradient descent"))
    for i, (rate, distance) in enumerate(results["arms"]):
        style = {
            "color": method("adagrad")["color"],
            "linestyle": ("-" if distance == 10 else ":") if rate == 0.5 else ("--", "-.")[i % 2],
            "label": f"AdaGrad {rate}, from {distance:.0f}",
        }
        along.loglog(results["shown"], results["along"][i], **style)
        effective.loglog(results["shown"], results["effective"][i], **style)
        gone = results["left"][i] <= results["steps"]
        left.loglog(results["offsets"][gone], results["left"][i][gone], marker="o", **style)
        stuck = results["offsets"][~gone]
        left.plot(stuck, np.full(len(stuck), results["steps"]), "^", ms=7, color=style["color"])
    left.loglog(results["offsets"], results["plain_left"], marker="o", **method("gradient descent"))
    left.axhline(results["steps"], color="black", linewidth=1)
    left.text(results["offsets"][-1], results["steps"] * 1.5, "AdaGrad 0.01: not away by then")
    along.set(xlabel="step", ylabel="|y|", title="distance from the ridge, $y_0$ = 0.01")
    effective.set(xlabel="step", ylabel="effective rate", title="AdaGrad's effective rate")
    left.set(xlabel="$y_0$", ylabel="steps until |y| = 1", title="steps to leave")
    left.set_ylim(5, 4 * results["steps"])
    fig.legend(*along.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return fig
