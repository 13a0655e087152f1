"""Do the notes' conventions of momentum agree?

The rate stands outside the velocity in 002:229-239, inside in 002:293 and 004:74; the two part when
the rate changes (E-05): gradient 1, rho 0.9, rate 0.1, then 0.01 from step 100 on, 300 steps. The
velocity is a plain decayed sum in 002:229, but Adam's and RMSProp's moments (002:422, 447) are
averages with a factor 1 - rho (E-41): the rate means 1 / (1 - rho) times as much in the sum. And
rho is 0.78 in 001:18, 0.9 or 0.99 in 002:244, not given in 003 and 004 (E-34): steps until the
gradient on the shared valley is under 0.001, rate 0.02.

Command: python -m experiments --only do_momentum_conventions_agree      (CPU, about 2 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import COLOURS, Verdict, convention, demonstration, figure, ordered
from experiments.lab.scenes import RATES, valley
from jaxtricks import optimizers, schedules, surfaces

FIGURES = ()
CLAIMS = ()
ERRATA = ("E-05", "E-41", "E-34")


@dataclasses.dataclass(frozen=True)
class Config:
    """`dampened`, `decays`: values of rho; `steps`: under gradient 1; `limit`: on the valley.

    Under gradient 1 the `rate` falls to a tenth after `drop` of `total` steps, with `decay` as rho.
    On the valley, at `valley_rate`, descent ends where the gradient is under `tolerance`.
    """

    rate: float = 0.1
    drop: int = 100
    total: int = 300
    decay: float = 0.9
    valley_rate: float = RATES["momentum"]
    tolerance: float = 1e-3
    dampened: tuple[float, ...] = (0.9, 0.99)
    decays: tuple[float, ...] = (0.0, 0.78, 0.9, 0.99)
    steps: int = 1000
    limit: int = 5000


SMOKE = Config()
FULL = Config()


def run(config: Config) -> dict[str, Any]:
    """Positions and velocities under a gradient of 1, and steps down the valley."""
    shown = np.unique(np.geomspace(1, config.steps, 80).astype(int))
    with jax.enable_x64(True):
        found = jax.device_get(measure(config))
    return {
        **found,
        "count": shown,
        "dampened": config.dampened,
        "plain": found["plain"][:, shown - 1],
        "damped": found["damped"][:, shown - 1],
        "decays": config.decays,
        "first rate": config.rate,
        "drop": config.drop,
        "decay": config.decay,
        "rate": config.valley_rate,
        "tolerance": config.tolerance,
    }


@functools.partial(jax.jit, static_argnames="config")
def measure(config: Config) -> dict[str, Any]:
    """All numbers, in one program."""
    rate = schedules.multistep_decay(config.rate, (config.drop,))
    positions = {}
    for name, inside in (("outside", False), ("inside", True)):
        rule = optimizers.momentum(rate, decay=config.decay, lr_inside=inside)
        positions[name] = under_gradient_one(rule, config.total)
    dampened = jnp.array(config.dampened)
    plain = jax.vmap(lambda rho: optimizer_steps(rho, 0.0, config.steps))(dampened)
    damped = jax.vmap(lambda rho: optimizer_steps(rho, rho, config.steps))(dampened)

    def descend(rho: jax.Array) -> Any:
        rule = optimizers.momentum(config.valley_rate, decay=rho)
        start = jnp.array(valley().start, jnp.float64)
        ends = {"tolerance": config.tolerance, "max_steps": config.limit}
        end = surfaces.descend(rule, valley(), start, **ends)
        path = surfaces.trajectory(rule, valley(), start, 200)
        return end.steps, end.gradient_norm, path.losses

    steps, norms, losses = jax.vmap(descend)(jnp.array(config.decays))
    return {
        "positions": positions,
        "plain": plain,
        "damped": damped,
        "steps": steps,
        "norms": norms,
        "losses": losses,
    }


def under_gradient_one(tx: Any, steps: int) -> jax.Array:
    return surfaces.trajectory(tx, lambda x: x, jnp.zeros(()), steps).points


def optimizer_steps(rho: jax.Array, dampening: float | jax.Array, steps: int) -> jax.Array:
    """How far each update goes, over the rate, under a gradient of 1."""
    return -jnp.diff(
        under_gradient_one(optimizers.momentum(1.0, decay=rho, dampening=dampening), steps)
    )


def judge(results: dict[str, Any]) -> list[Verdict]:
    """E-05: equal up to the drop (1e-9), over twice as far after. E-41 and E-34
    are conventions."""
    out, inside = results["positions"]["outside"], results["positions"]["inside"]
    drop, rate = results["drop"], results["first rate"]
    same = np.allclose(out[: drop + 1], inside[: drop + 1], atol=1e-6)
    rest = len(out) - 1 - drop
    after = (10, 11, rest)
    moved = {k: (out[drop + k] - out[drop], inside[drop + k] - inside[drop]) for k in after}
    ratios = results["plain"] / results["damped"]
    steps, decays = results["steps"], results["decays"]
    return [
        demonstration(
            "E-05",
            same and moved[10][1] < 2 * moved[10][0],
            f"10 steps after the rate fell from {rate:g} to {rate / 10:g}: moved "
            f"{moved[10][0]:.2f} (outside), {moved[10][1]:.2f} (inside); 11 steps: "
            f"{moved[11][0]:.2f}, {moved[11][1]:.2f}; "
            f"{rest} steps: {moved[rest][0]:.1f}, {moved[rest][1]:.1f}; the same before "
            f"(gradient 1, rho {results['decay']:g})",
            panel="a",
        ),
        convention(
            "E-41",
            "step of the plain velocity over that of the average: "
            + ", ".join(
                f"{ratio[-1]:.4g} at rho {rho:g}"
                for ratio, rho in zip(ratios, results["dampened"], strict=True)
            ),
        ),
        convention(
            "E-34",
            f"valley, rate {results['rate']}, steps until the gradient is under "
            f"{results['tolerance']:g}: "
            + ", ".join(f"{s:.0f} at rho {rho:g}" for s, rho in zip(steps, decays, strict=True)),
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Positions, velocities and losses."""
    fig, (rate, sums, valley) = figure(1, 3, height=4.7)
    for name, colour, line in (("outside", COLOURS[0], "-"), ("inside", COLOURS[1], "--")):
        y = results["positions"][name]
        rate.plot(y, color=colour, linestyle=line, label=f"rate {name} the velocity")
    drop, first = results["drop"], results["first rate"]
    fell = f"rate {first:g} falls to {first / 10:g}"
    rate.axvline(drop, color="grey", linestyle=":", linewidth=1)
    rate.text(drop + 5, -45, fell, color="dimgrey", fontsize=10.5)
    title = rf"gradient 1, $\rho$ = {results['decay']:g}"
    rate.set(xlabel="step", ylabel="position", title=title)
    rate.legend(loc="upper right")
    show_sums(sums, results)
    show_valley(valley, results)
    return fig


def show_valley(axes: Axes, results: dict[str, Any]) -> None:
    """Losses, each with its label at a point of its own."""
    places = (
        (200, 0, -7, "top"),
        (100, -90, -10, "top"),
        (200, 0, -22, "top"),
        (200, 0, 9, "bottom"),
    )
    for losses, rho, steps, (x, right, up, va) in zip(
        results["losses"], results["decays"], results["steps"], places, strict=True
    ):
        axes.semilogy(np.maximum(losses, 1e-16), color=ordered("decay", rho))
        label, look = rf"$\rho$ = {rho:g}: {steps:.0f} steps", {"textcoords": "offset points"}
        ha = "left" if right else "right"
        axes.annotate(label, (x, losses[x]), (right, up), va=va, ha=ha, fontsize=10.5, **look)
    axes.set(xlabel="step", ylabel="loss on the valley", ylim=(1e-15, 1e5))
    axes.set_title(f"steps to a gradient of {results['tolerance']:g}, rate {results['rate']}")


def show_sums(axes: Axes, results: dict[str, Any]) -> None:
    for i, rho in enumerate(results["dampened"]):
        line = ("-", "--")[i]
        label = rf"$\rho v + g$, $\rho$ = {rho:g}"
        axes.loglog(results["count"], results["plain"][i], color=COLOURS[0], ls=line, label=label)
        label = rf"$\rho v + (1 - \rho) g$, $\rho$ = {rho:g}"
        axes.loglog(results["count"], results["damped"][i], color=COLOURS[1], ls=line, label=label)
    axes.set(xlabel="step", ylabel="step / learning rate, gradient 1", ylim=(5e-3, 1e5))
    axes.set_title("decayed sum or average")
    axes.legend(loc="upper left")
