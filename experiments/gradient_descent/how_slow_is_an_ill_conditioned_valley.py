"""How slow is gradient descent where the Hessian is ill-conditioned?

The lecture (004:33) says slow. On f = (w1^2 + kappa w2^2) / 2 from (1, 1), steps until the gradient
is under 1e-6, at the rate 1 / kappa and at the best one, 2 / (1 + kappa). The law is known: the
flat weight shrinks by 1 - alpha a step, so the steps grow in proportion to kappa, and at the best
rate log(kappa) more, for the steep weight shrinks no faster.

Command: python -m experiments --only how_slow_is_an_ill_conditioned_valley      (CPU, about 1 s)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    equivalent,
    exactly,
    figure,
    ordered,
)
from jaxtricks import optimizers, surfaces

CLAIMS = ("C-012",)
PLANS = {
    "C-012": Plan(
        effects={"exponent": 0.1, "closed form, steps": 1.0},
        gates=("closed form",),
        settings={"start": (1.0, 1.0), "fitted from condition number": 10.0},
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`shown`: condition numbers whose losses are drawn, over `steps` updates."""

    condition_numbers: tuple[float, ...] = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
    shown: tuple[float, ...] = (3.0, 10.0, 100.0, 1000.0)
    steps: int = 200
    tolerance: float = 1e-6


SMOKE = Config(condition_numbers=(10.0, 30.0, 100.0), shown=(10.0, 100.0))
FULL = Config(condition_numbers=(3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5))
RATES = ("1 / L", "best")
NAMES = {"1 / L": "rate 1 / L", "best": "best rate, 2 / (1 + κ)"}


def run(config: Config) -> dict[str, Any]:
    """Steps to the tolerance for each condition number at both rates, and some losses."""
    with jax.enable_x64(True):
        start, kappa = jnp.ones(2), jnp.array(config.condition_numbers)
        rates = jnp.stack([1 / kappa, 2 / (1 + kappa)])

        def steps(rate: jax.Array, kappa: jax.Array) -> jax.Array:
            valley = surfaces.quadratic([1.0, kappa])
            rule = optimizers.gradient_descent(rate)
            return surfaces.descend(
                rule, valley, start, tolerance=config.tolerance, max_steps=10_000_000
            ).steps

        def losses(kappa: jax.Array) -> jax.Array:
            rule = optimizers.gradient_descent(1 / kappa)
            valley = surfaces.quadratic([1.0, kappa])
            path = surfaces.trajectory(rule, valley, start, config.steps)
            return path.losses / path.losses[1]

        counted = jax.jit(jax.vmap(jax.vmap(steps), (0, None)))(rates, kappa)
        curves = jax.jit(jax.vmap(losses))(jnp.array(config.shown))
    return {
        "condition_numbers": config.condition_numbers,
        "steps": dict(zip(RATES, counted, strict=True)),
        "law": {name: law(name, config) for name in RATES},
        "shown": config.shown,
        "losses": curves[:, 1:],
        "tolerance": config.tolerance,
    }


def law(name: str, config: Config) -> np.ndarray:
    """Steps of the closed form: the flat weight alone, or both at the same rate of decay."""
    kappa = np.array(config.condition_numbers)
    if name == "best":
        first, factor = np.sqrt(1 + kappa**2), (kappa - 1) / (kappa + 1)
    else:
        first, factor = 1.0, 1 - 1 / kappa
    return np.ceil(np.log(config.tolerance / first) / np.log(factor))


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Confirmed if the steps grow as kappa to a fitted power of 1 ± 0.1, at both rates."""
    plan = PLANS["C-012"]
    kappa, parts = results["condition_numbers"], []
    wide = kappa >= plan.settings["fitted from condition number"]
    for name in RATES:
        steps = results["steps"][name]
        exponent = np.polyfit(np.log(kappa[wide]), np.log(steps[wide]), 1)[0]
        text = (
            f"exponent of the steps in the condition number at the {NAMES[name]} ("
            f"{steps[wide][0]:,.0f} steps at {kappa[wide][0]:g}, {steps[-1]:,.0f} at "
            f"{kappa[-1]:,.0f})"
        )
        within = plan.effects["exponent"]
        parts.append(equivalent(text, exactly(exponent), within=within, target=1.0, panel="b"))
    off = max(float(np.max(np.abs(results["steps"][n] - results["law"][n]))) for n in RATES)
    gate = Gate(
        "closed form",
        off <= plan.effects["closed form, steps"],
        f"the steps differ from those of the closed form by {off:.0f} at most",
    )
    scope = (
        f"quadratic of 2 weights from (1, 1), condition numbers {kappa[wide][0]:g} to "
        f"{kappa[-1]:g}, gradient descent to a gradient of {results['tolerance']:.0e}, float64"
    )
    return [all_of("C-012", parts, gates=[gate], scope=scope)]


def draw(results: dict[str, Any]) -> Figure:
    """Losses of some valleys, and the steps needed against the condition number."""
    fig, (curves, steps) = figure(1, 2, width=5.4, height=4.2)
    draw_curves(curves, results)
    kappa = results["condition_numbers"]
    for name, colour, marker in zip(RATES, COLOURS, "os", strict=False):
        steps.loglog(kappa, results["steps"][name], marker, color=colour, label=NAMES[name])
        steps.loglog(kappa, results["law"][name], "-", color=colour, lw=1)
    steps.plot([], [], " ", label="lines: closed form")
    ticks = [10.0**power for power in range(1, 6)]
    steps.set_xticks(ticks[:3], [f"{tick:,.0f}" for tick in ticks[:3]])
    steps.set_yticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    steps.set(xlabel=r"condition number $\kappa$", ylabel="steps to a gradient of 1e-6")
    steps.set_title("steps against the condition number")
    steps.legend(loc="upper left")
    return fig


def draw_curves(axes: Axes, results: dict[str, Any]) -> None:
    """Losses at rate 1 / L, each with its condition number beside its end."""
    floor = 1e-8
    for kappa, losses in zip(results["shown"], results["losses"], strict=True):
        shown = losses[: 1 + int(np.argmax(losses < floor))] if losses.min() < floor else losses
        colour = ordered("condition number", kappa)
        places = np.arange(1, len(shown) + 1)
        axes.semilogy(places, shown, color=colour)
        low = shown[-1] < floor
        place, height = (places[-1] + 4, 3 * floor) if low else (places[-1], 4 * shown[-1])
        label = rf"$\kappa$ = {kappa:,.0f}"
        axes.text(place, height, label, color=colour, ha="left" if low else "right", va="bottom")
    axes.set(xlabel="step", ylabel="loss / loss after the first step", ylim=(floor, 30))
    axes.set_title("losses at the rate 1 / L")
