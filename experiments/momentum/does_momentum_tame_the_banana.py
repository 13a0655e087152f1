"""Does momentum make the start gentler and the end nearer the optimum?

The lecture's pictures (001:15-18) are Goh's demonstration: 150 steps at rate 0.003 from
(-1.21, 0.853) over a curved valley, with momentum off and at beta = 0.78. It says that without
momentum the global optimum is not found and the first updates are random and sharp, and that a well
chosen momentum starts more gently and finds a minimum nearer the global one. A reversal is a step
that makes an obtuse angle with the one before it; the start is the first 30 steps. "Found" is asked
of runs that went on until their gradient was under 1e-8. As the pictured function has one minimum,
the double wells of `can_momentum_leave_a_local_minimum` are run besides: the well chosen momentum
may be any of four, on either function, but the same one must be gentler and end nearer.

Command: python -m experiments --only does_momentum_tame_the_banana      (CPU, about 4 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    COLOURS,
    Gate,
    Part,
    Plan,
    Verdict,
    all_of,
    demonstration,
    draw_path,
    draw_surface,
    exactly,
    exists,
    figure,
    holds,
    interval,
    over,
    paired,
    part_of,
    surface_grid,
)
from experiments.momentum.can_momentum_leave_a_local_minimum import Config as Wells
from jaxtricks import optimizers, surfaces

FIGURES = ("F-001", "F-002")
CLAIMS = ("C-016", "C-017")
ERRATA = ("E-57",)

EFFECTS = {"share of the way": 1e-3, "reversals": 2.0}


@dataclasses.dataclass(frozen=True)
class Config:
    """Every run has `steps` with each beta of `decays`, 0 first; that of the `lecture` is drawn.

    On the banana the runs begin at `start`, at `rate`; `pictured` steps are drawn. In the `wells`
    random ones they have `well_rate`, with tilts from 0 to `largest_tilt` and starts within `reach`
    of 0. Reversals are counted in the `early` first steps. A run has `converged` where its gradient
    is less.
    """

    decays: tuple[float, ...] = (0.0, 0.5, 0.78, 0.9, 0.98)
    steps: int = 10_000
    wells: int = 1000
    seed: int = 15_017
    lecture: float = 0.78
    start: tuple[float, float] = (-1.21, 0.853)
    rate: float = 0.003
    pictured: int = 150
    early: int = 30
    converged: float = 1e-8
    well_rate: float = Wells.rate
    largest_tilt: float = Wells.largest_tilt
    reach: float = Wells.reach


SMOKE = Config(wells=30)
FULL = Config(steps=100_000, wells=20_000)
SETTINGS = {"rate": Config.rate, "start": Config.early, "gradient": Config.converged}
PLANS = {
    "C-016": Plan(effects=EFFECTS, gates=("pos",), settings=SETTINGS),
    "C-017": Plan(
        effects=EFFECTS,
        gates=("conv",),
        settings=SETTINGS
        | {
            "rate in the wells": Config.well_rate,
            "tilts": (0.0, Config.largest_tilt),
            "starts": Config.reach,
        },
    ),
}


def run(config: Config) -> dict[str, Any]:
    """The paths over the banana, repeated, and the ends in the wells, for every beta."""
    with jax.enable_x64(True):
        banana, again = jax.device_get([on_banana(config), on_banana(config)])
        return {
            "grid": surface_grid(surfaces.banana(), points=81),
            "decays": config.decays,
            "steps": config.steps,
            "lecture": config.lecture,
            "rate": config.rate,
            "well_rate": config.well_rate,
            "early": config.early,
            "converged": config.converged,
            "repeated": bool(np.array_equal(banana["points"], again["points"])),
            **banana,
            **{f"wells {key}": value for key, value in in_wells(config).items()},
        }


@functools.partial(jax.jit, static_argnames="config")
def on_banana(config: Config) -> dict[str, jax.Array]:
    """The lecture's path for every beta, and where it is in the end."""
    surface, start, pictured = surfaces.banana(), jnp.array(config.start), config.pictured

    def one(decay: jax.Array) -> dict[str, jax.Array]:
        rule = optimizers.momentum(config.rate, decay=decay)
        path = surfaces.trajectory(rule, surface, start, config.steps)
        size = jnp.linalg.norm(path.gradients, axis=-1)
        way = jnp.linalg.norm(path.points - surface.optimum[None], axis=-1)
        return {
            "points": path.points[: pictured + 1],
            "reversals": reversals(path.updates[: config.early]),
            "pictured": way[pictured] / way[0],
            "pictured gradient": size[pictured],
            "arrival": jnp.argmax(size < config.converged),
            "end": way[-1] / way[0],
            "gradient": size[-1],
        }

    return jax.vmap(one)(jnp.array(config.decays))


@functools.partial(jax.jit, static_argnames="config")
def in_wells(config: Config) -> dict[str, jax.Array]:
    """Reversals and ends `[beta, well]`; distances in units of the wells' mean way."""
    keys = jax.random.split(jax.random.key(config.seed))
    tilts = jax.random.uniform(keys[0], (config.wells,), maxval=config.largest_tilt)
    starts = jax.random.uniform(keys[1], (config.wells,), minval=-config.reach, maxval=config.reach)

    def one(tilt: jax.Array, start: jax.Array, decay: jax.Array) -> tuple[jax.Array, ...]:
        well = surfaces.double_well(tilt)
        rule = optimizers.momentum(config.well_rate, decay=decay)
        early = surfaces.trajectory(rule, well, start, config.early).updates
        end = surfaces.descend(
            rule, well, start, tolerance=config.converged, max_steps=config.steps
        )
        off = jnp.abs(end.point - well.optimum)
        return reversals(early[:, None]), off, end.gradient_norm, jnp.abs(start - well.optimum)

    over_wells = jax.vmap(one, (0, 0, None))
    turned, off, gradient, way = jax.vmap(over_wells, (None, None, 0))(
        tilts, starts, jnp.array(config.decays)
    )
    return {"reversals": turned, "end": off / jnp.mean(way), "gradient": gradient.max(axis=1)}


def reversals(updates: jax.Array) -> jax.Array:
    """How many of the steps make an obtuse angle with the one before."""
    return jnp.sum(jnp.sum(updates[1:] * updates[:-1], axis=-1) < 0)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-016 without momentum; C-017 for every beta on both functions; E-57 at both lengths."""
    steps = results["steps"]
    scope = f"momentum in float64, {steps} full-gradient steps"
    lecture, early = list(results["decays"]).index(results["lecture"]), results["early"]
    within, few = EFFECTS["share of the way"], EFFECTS["reversals"]
    gradient = max(results["gradient"].max(), results["wells gradient"].max())
    parts = [
        over("distance from the optimum at convergence, without momentum, as a share of the way",
             exactly(results["end"][0]), within, panel="c"),
        holds("a second run from the same start takes other steps", not results["repeated"],
              panel="a"),
        over(f"sharp turns (over 90 degrees) in the first {early} steps without momentum",
             exactly(results["reversals"][0]), few, panel="b"),
    ]  # fmt: skip
    left, limit = results["end"][lecture], results["converged"]
    found = Gate(
        "pos", bool(left < within), f"beta = {results['lecture']} ends {left:.1g} of the way off"
    )
    both = [
        both_ways(results, name, i)
        for name in ("banana", "wells")
        for i in range(1, len(results["decays"]))
    ]
    last = f"the largest last gradient of all runs is {gradient:.3g}"
    converged = Gate("conv", bool(gradient < limit), last)
    wells = results["wells end"].shape[1]
    unfinished, rate = results["pictured gradient"][0], results["rate"]
    return [
        all_of("C-016", parts, scope=f"Goh's banana, 2 parameters, rate {rate}, {scope}",
               gates=[found]),
        exists(
            "C-017",
            both,
            scope=f"Goh's banana (2 parameters, rate {rate}) and {wells} double wells (1 "
            f"parameter, rate {results['well_rate']}), {scope}",
            gates=[converged],
            beside=[beside(results, i) for i in range(1, len(results["decays"]))],
        ),
        demonstration(
            "E-57",
            bool(unfinished > 0.1 and results["end"][0] < within and gradient < limit),
            f"where the picture without momentum ends the gradient is {unfinished:.3g}, so that it "
            f"is no minimum; after {results['arrival'][0]} steps the run is at the function's only "
            "minimum",
            panel="c",
        ),
    ]  # fmt: skip


def both_ways(results: dict[str, Any], name: str, i: int) -> Part:
    """Beta number i against beta 0 on one function: gentler, and nearer once converged."""
    rows = (
        (f"{name}, beta = {results['decays'][i]:g}: gentler", "reversals", "reversals", "b"),
        ("nearer once converged", "end", "share of the way", "c"),
    )
    parts = []
    for text, what, effect, panel in rows:
        ends = results[what if name == "banana" else f"wells {what}"]
        change = exactly(ends[i] - ends[0]) if name == "banana" else ends[i] - ends[0]
        parts.append(paired(text, change, effect=EFFECTS[effect], claimed="down", panel=panel))
    return part_of(parts, "all")


def beside(results: dict[str, Any], i: int) -> str:
    """What one beta does to both numbers on both functions."""
    wells = [interval(results[f"wells {what}"][i] - results[f"wells {what}"][0])
             for what in ("reversals", "end")]  # fmt: skip
    turned, end = (f"{mean:.3g} [{low:.3g}, {high:.3g}]" for mean, low, high in wells)
    more = results["reversals"][i] - results["reversals"][0]
    return (
        f"beta = {results['decays'][i]:g} minus 0: reversals in {results['early']} steps "
        f"{more:+d} on the banana, {turned} in the wells; distance at convergence "
        f"{results['end'][i] - results['end'][0]:.1g} of the way on the banana, {end} in the wells"
    )


def draw(results: dict[str, Any]) -> Figure:
    """The lecture's two paths, and what every beta does to the start and to the end."""
    fig, (above, turns, ends) = figure(1, 3, width=5.8, height=4.6)
    lecture = list(results["decays"]).index(results["lecture"])
    pictured = results["points"].shape[1] - 1
    draw_surface(above, results["grid"], start=results["points"][0, 0], optimum=(1, 1 / 3),
                 logarithmic=True, names=("$x$", "$y$"), bar=False)  # fmt: skip
    for i, name, label in ((0, "gradient descent", 0), (lecture, "momentum", results["lecture"])):
        draw_path(above, results["points"][i], name, label=rf"$\beta$ = {label:g}")
    above.set_title(f"{pictured} steps, redder = lower loss")
    above.legend(loc="upper center", ncols=2)
    draw_values(turns, results, results["reversals"], "reversals", 1.0)
    turns.set(ylabel=f"reversals in the first {results['early']} steps", title="the start")
    ends.plot(100 * results["pictured"], "o:", color=COLOURS[0], mfc="white",
              label=f"banana after {pictured} steps")  # fmt: skip
    draw_values(ends, results, results["end"], "end", 100.0)
    ends.set(
        ylabel="distance left / % of the way", title="the end: converged, but for the dotted line"
    )
    return fig


def draw_values(axes: Axes, results: dict[str, Any], exact: Any, what: str, unit: float) -> None:
    """The banana's number and the wells' mean for every beta."""
    rows = unit * np.array([interval(row) for row in results[f"wells {what}"]])
    bars = np.abs(rows[:, 1:] - rows[:, :1]).T
    axes.plot(unit * exact, "o-", color=COLOURS[0], label="banana")
    axes.errorbar(np.arange(len(rows)), rows[:, 0], bars, fmt="s--", color=COLOURS[4], capsize=4,
                  label=f"{results['wells end'].shape[1]} wells, mean and 95 %")  # fmt: skip
    axes.set_xticks(range(len(rows)), [f"{decay:g}" for decay in results["decays"]])
    axes.set_xlabel(r"momentum $\beta$")
    axes.legend(loc="best")
