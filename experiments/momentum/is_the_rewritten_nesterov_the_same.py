"""Is the rewritten Nesterov momentum the same rule as the one with the look-ahead point?

002:311-338 puts x~ = x + rho v and gets x~ <- x~ - rho v + (1 + rho) v'. Compared in float64 on
three surfaces, at a constant and at a falling rate, with rho constant: x + rho v of the first form
(`lookahead_point`) with the points of `nesterov`, and with the lecture's four lines of code as
printed. The same means to 1e-12 of the path's size at every step. As a control rho changes on the
way, at step 10 from 0.5 to 0.9: there the two forms are different rules, and must be told apart.

Command: python -m experiments --only is_the_rewritten_nesterov_the_same      (CPU, about 2 s)
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    Gate,
    Plan,
    Verdict,
    all_of,
    draw_path,
    draw_surface,
    exactly,
    figure,
    surface_grid,
    tolerance,
)
from experiments.lab.scenes import DECAY, valley
from jaxtricks import optimizers, schedules, surfaces

FIGURES = ()
CLAIMS = ("C-023",)

SURFACES = {"valley": valley, "banana": surfaces.banana, "Beale": surfaces.beale}


@dataclasses.dataclass(frozen=True)
class Config:
    """Every path has `steps` at the rate of its surface in `rates`, the valley among them, which
    is constant or is divided by 10 in the middle; `decay` is rho, from 0 to under 1.

    In the control rho has the first of `changing`, and from step `change` on the second.
    """

    steps: int = 150
    rates: tuple[tuple[str, float], ...] = (("valley", 0.02), ("banana", 5e-4), ("Beale", 5e-4))
    decay: float = DECAY
    changing: tuple[float, float] = (0.5, 0.9)
    change: int = 10


SMOKE = Config(steps=40)
FULL = Config(steps=1000)
PLANS = {
    "C-023": Plan(
        effects={"relative": 1e-12},
        gates=("pos",),
        settings={
            "rates": dict(Config.rates),
            "rho": Config.decay,
            "rate kinds": ("constant", "divided by 10 in the middle"),
        },
    )
}


def run(config: Config) -> dict[str, Any]:
    """Differences per surface and schedule, and both kinds of points on the valley."""
    results: dict[str, Any] = {
        "grid": surface_grid(valley()),
        "names": [name for name, _ in config.rates],
        "rates": dict(config.rates),
        "decay": config.decay,
        "changing": config.changing,
    }
    with jax.enable_x64(True):
        return results | differences(config)


@functools.partial(jax.jit, static_argnames="config")
def differences(config: Config) -> dict[str, jax.Array]:
    """All numbers, in one program."""
    middle, decay, results = config.steps // 2, config.decay, {}
    for name, rate in config.rates:
        surface = SURFACES[name]()
        falling = schedules.multistep_decay(rate, (middle,))
        for kind, schedule in (("constant", rate), ("falling", falling)):
            points, leads = first_form(surface, schedule, decay, config.steps)
            rewritten = second_form(surface, schedule, decay, config.steps)
            printed = as_printed(surface, schedule, decay, config.steps)
            size = jnp.max(jnp.abs(leads))
            results[f"{name} {kind}"] = jnp.max(jnp.abs(rewritten - leads), axis=1) / size
            results[f"{name} {kind} printed"] = jnp.max(jnp.abs(printed - leads)) / size
        if name == "valley":
            points, leads = first_form(surface, rate, decay, config.steps)
            results |= {"points": points, "lookaheads": leads}
    both, rate = map(schedules.constant, config.changing), dict(config.rates)["valley"]
    growing = schedules.join(list(both), boundaries=[config.change])
    leads = first_form(valley(), rate, growing, config.steps)[1]
    moved = second_form(valley(), rate, growing, config.steps)
    results["changing rho"] = jnp.max(jnp.abs(moved - leads), axis=1) / jnp.max(jnp.abs(leads))
    return results


def first_form(
    surface: surfaces.Surface, rate: Any, decay: Any, steps: int
) -> tuple[jax.Array, jax.Array]:
    """v <- rho v - alpha grad(x + rho v), x <- x + v: the points x and x + rho v."""
    rule = optimizers.momentum(rate, decay=decay, lr_inside=True)

    def body(carry: Any, count: jax.Array) -> tuple[Any, tuple[jax.Array, jax.Array]]:
        x, state = carry
        velocity = optax.tree.get(state, "velocity")
        ahead = optimizers.lookahead_point(x, velocity, schedules.value_at(decay, count))
        step, state = rule.update(jax.grad(surface)(ahead), state)
        return (x + step, state), (x, ahead)

    start = jnp.array(surface.start, float)
    counts = jnp.arange(steps, dtype=jnp.int32)
    return jax.lax.scan(body, (start, rule.init(start)), counts)[1]


def second_form(surface: surfaces.Surface, rate: Any, decay: Any, steps: int) -> jax.Array:
    rule = optimizers.nesterov(rate, decay=decay)
    start = jnp.array(surface.start, float)
    return surfaces.trajectory(rule, surface, start, steps).points[:-1]


def as_printed(surface: surfaces.Surface, rate: Any, decay: float, steps: int) -> jax.Array:
    """002:332-338, line by line."""
    compute_gradient: Callable = jax.grad(surface)

    def body(carry: tuple[jax.Array, jax.Array], count: jax.Array) -> tuple[Any, jax.Array]:
        x, v = carry
        at = x
        dx = compute_gradient(x)
        old_v = v
        v = decay * v - schedules.value_at(rate, count) * dx
        x += -decay * old_v + (1 + decay) * v
        return (x, v), at

    start = jnp.array(surface.start, float)
    return jax.lax.scan(body, (start, jnp.zeros(2)), jnp.arange(steps, dtype=jnp.int32))[1]


def judge(results: dict[str, Any]) -> list[Verdict]:
    """The library's and the printed form against the first, on every surface at both rates."""
    within = PLANS["C-023"].effects["relative"]
    cases = [f"{name} {kind}" for name in results["names"] for kind in ("constant", "falling")]
    forms = {
        "the rewritten form": [results[case].max() for case in cases],
        "the printed code": [results[f"{case} printed"] for case in cases],
    }
    parts = [
        tolerance(
            f"distance of {form} from the first, over the path's size",
            [exactly(value) for value in values],
            within=within,
            panel="b",
        )
        for form, values in forms.items()
    ]
    changing, (before, after) = results["changing rho"].max(), results["changing"]
    gate = Gate(
        "pos",
        bool(changing > within),
        f"with rho going from {before} to {after} the two forms are {changing:.2g} of the path "
        "apart",
    )
    steps = len(results["points"])
    scope = (
        f"{', '.join(results['names'])} (2 parameters each), {steps} steps, rho = "
        f"{results['decay']} constant, constant and falling rate, float64; no random number"
    )
    return [all_of("C-023", parts, scope=scope, gates=[gate])]


def draw(results: dict[str, Any]) -> Figure:
    """The two kinds of points, and the differences per step."""
    fig, (above, errors) = figure(1, 2, width=6.0, height=4.4)
    draw_surface(above, results["grid"], start=results["points"][0], optimum=(0, 0), bar=False)
    shown = slice(0, 26)
    x, lead = results["points"][shown], results["lookaheads"][shown]
    for a, b in zip(x, lead, strict=True):
        above.plot(*zip(a, b, strict=True), color="grey", linewidth=0.8, zorder=3)
    above.plot(*x.T, "ks-", ms=3.5, linewidth=1, zorder=4, label="weights $x$ (first form)")
    draw_path(above, lead, "nesterov", label=r"look-ahead $\tilde x = x + \rho v$ (rewritten)")
    rate, decay = results["rates"]["valley"], results["decay"]
    above.set_title(rf"25 steps, rate {rate}, $\rho$ = {decay} (redder = lower loss)")
    above.legend(loc="lower right", frameon=True, framealpha=0.8, edgecolor="none")
    for i, name in enumerate(results["names"]):
        for kind, line in (("constant", "-"), ("falling", "--")):
            values = np.maximum(results[f"{name} {kind}"], 1e-18)
            errors.semilogy(values, line, color=COLOURS[i], label=f"{name}, {kind} rate")
    before, after = results["changing"]
    errors.semilogy(
        np.maximum(results["changing rho"], 1e-18),
        "k:",
        label=rf"valley, $\rho$ from {before} to {after}",
    )
    errors.axhline(PLANS["C-023"].effects["relative"], color="grey", linewidth=0.8)
    errors.set(xlabel="step", ylabel="difference / size of the path", ylim=(1e-18, 1e9))
    errors.set_title(r"rewritten minus first form (grey: tolerance)")
    errors.legend(loc="upper left", ncols=2, fontsize=10)
    return fig
