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

SURFACES = {
    "valley": (valley, 0.02),
    "banana": (surfaces.banana, 0.0005),
    "Beale": (surfaces.beale, 0.0005),
}
PLANS = {
    "C-023": Plan(
        effects={"relative": 1e-12},
        gates=("pos",),
        settings={
            "rates": {name: rate for name, (_, rate) in SURFACES.items()},
            "rho": DECAY,
            "rate kinds": ("constant", "divided by 10 in the middle"),
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`steps` of every path; the falling rate is divided by 10 in the middle."""

    steps: int = 150


SMOKE = Config(steps=40)
FULL = Config(steps=1000)


def run(config: Config) -> dict[str, Any]:
    """Differences per surface and schedule, and both kinds of points on the valley."""
    results: dict[str, Any] = {"grid": surface_grid(valley()), "names": list(SURFACES)}
    with jax.enable_x64(True):
        return results | differences(config)


@functools.partial(jax.jit, static_argnames="config")
def differences(config: Config) -> dict[str, jax.Array]:
    """All numbers, in one program."""
    middle, results = config.steps // 2, {}
    for name, (make, rate) in SURFACES.items():
        surface = make()
        falling = schedules.multistep_decay(rate, (middle,))
        for kind, schedule in (("constant", rate), ("falling", falling)):
            points, leads = first_form(surface, schedule, DECAY, config.steps)
            rewritten = second_form(surface, schedule, DECAY, config.steps)
            printed = as_printed(surface, schedule, config.steps)
            size = jnp.max(jnp.abs(leads))
            results[f"{name} {kind}"] = jnp.max(jnp.abs(rewritten - leads), axis=1) / size
            results[f"{name} {kind} printed"] = jnp.max(jnp.abs(printed - leads)) / size
        if name == "valley":
            points, leads = first_form(surface, rate, DECAY, config.steps)
            results |= {"points": points, "lookaheads": leads}
    growing = schedules.join([schedules.constant(0.5), schedules.constant(0.9)], boundaries=[10])
    leads = first_form(valley(), 0.02, growing, config.steps)[1]
    moved = second_form(valley(), 0.02, growing, config.steps)
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


def as_printed(surface: surfaces.Surface, rate: Any, steps: int) -> jax.Array:
    """002:332-338, line by line."""
    compute_gradient: Callable = jax.grad(surface)

    def body(carry: tuple[jax.Array, jax.Array], count: jax.Array) -> tuple[Any, jax.Array]:
        x, v = carry
        at = x
        dx = compute_gradient(x)
        old_v = v
        v = DECAY * v - schedules.value_at(rate, count) * dx
        x += -DECAY * old_v + (1 + DECAY) * v
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
    changing = results["changing rho"].max()
    gate = Gate(
        "pos",
        bool(changing > within),
        f"with rho going from 0.5 to 0.9 the two forms are {changing:.2g} of the path apart",
    )
    steps = len(results["points"])
    scope = (
        f"{', '.join(results['names'])} (2 parameters each), {steps} steps, rho = {DECAY} constant,"
        " constant and falling rate, float64; no random number"
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
    above.set_title(rf"25 steps, rate 0.02, $\rho$ = {DECAY} (redder = lower loss)")
    above.legend(loc="lower right", frameon=True, framealpha=0.8, edgecolor="none")
    for i, name in enumerate(results["names"]):
        for kind, line in (("constant", "-"), ("falling", "--")):
            values = np.maximum(results[f"{name} {kind}"], 1e-18)
            errors.semilogy(values, line, color=COLOURS[i], label=f"{name}, {kind} rate")
    errors.semilogy(
        np.maximum(results["changing rho"], 1e-18), "k:", label=r"valley, $\rho$ from 0.5 to 0.9"
    )
    errors.axhline(PLANS["C-023"].effects["relative"], color="grey", linewidth=0.8)
    errors.set(xlabel="step", ylabel="difference / size of the path", ylim=(1e-18, 1e9))
    errors.set_title(r"rewritten minus first form (grey: tolerance)")
    errors.legend(loc="upper left", ncols=2, fontsize=10)
    return fig
