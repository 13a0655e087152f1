"""Does Nesterov's momentum overshoot less than momentum, and is it faster?

004:154-179 and 002:341-349 say so: a more sensible path and faster convergence, because looking
ahead is like knowing the second derivatives. Twenty problems of five kinds, four of them not
quadratic (`_problems.py`), float64. Both rules take the rate and the rho that need the fewest steps
from other starts, found by windows of 9 x 9 that close in on the best: the first spans eight
octaves of the rate times the largest curvature of the start, and of 1 - rho. Steps: until the
gradient of the weights is under 1e-6 of its first norm at two steps in a row. Overshoot: how far
the weights pass the end along the straight way there, as a share of the way. Second derivatives:
Nesterov's step less momentum's, from one point with one short velocity, against -alpha rho H v.

Command: python -m experiments --only does_nesterov_overshoot_less      (CPU, about 40 s)
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
    converged,
    demonstration,
    draw_path,
    draw_surface,
    exactly,
    figure,
    interval,
    paired,
    surface_grid,
    tolerance,
)
from experiments.lab.scenes import DECAY, RATES, rule, valley
from experiments.momentum._problems import KINDS
from experiments.momentum._tuned_steps import (
    ARMS,
    OCTAVES,
    SHORT,
    TOLERANCE,
    advance,
    first_state,
    on_kind,
)
from jaxtricks import surfaces

FIGURES = ("F-027",)
CLAIMS = ("C-022",)
ERRATA = ("E-62",)
TIER = 2

PLANS = {
    "C-022": Plan(
        effects={"log10 steps": 0.02, "overshoot": 0.05, "relative": 1e-3},
        gates=("nest", "edge", "conv"),
        settings={
            "problems": {name: kind.sizes for name, kind in KINDS.items()},
            "octaves": OCTAVES,
            "tolerance": TOLERANCE,
            "length of the velocity": SHORT,
        },
    )
}


@dataclasses.dataclass(frozen=True)
class Config:
    """`kinds`: of problems; `starts`: judged ones, and as many for tuning; `steps`: drawn."""

    kinds: tuple[str, ...] = tuple(KINDS)
    starts: int = 8
    max_steps: int = 400
    steps: int = 80
    seed: int = 15_022


SMOKE = Config(kinds=("quadratic",), starts=2, max_steps=300)
FULL = Config(starts=20, max_steps=5000)


def run(config: Config) -> dict[str, Any]:
    """The paths on the shared valley, and all problems at both rules' own best."""
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(config.seed), len(KINDS))
        found = {
            name: on_kind(KINDS[name], key, starts=config.starts, max_steps=config.max_steps)
            for name, key in zip(KINDS, keys, strict=True)
            if name in config.kinds
        }
        paths = {name: weights(name, config.steps) for name in ("gradient descent", *ARMS)}
    return {
        "grid": surface_grid(valley()),
        "paths": paths,
        "kinds": config.kinds,
        "max_steps": config.max_steps,
        **{key: np.concatenate([found[name][key] for name in found]) for key in found["quadratic"]},
        "calls": gradients_per_step(),
    }


def weights(name: str, steps: int) -> jax.Array:
    """The path of the weights; of Nesterov's rule those are not the points it is given."""
    if name != "nesterov":
        return surfaces.trajectory(rule(name), valley(), jnp.array(valley().start), steps).points
    settings = jnp.array([RATES[name], DECAY])
    gradient = jax.grad(valley())

    def body(carry: Any, _: None) -> tuple[Any, jax.Array]:
        x, state = carry
        x, state = advance(gradient, x, state, settings, 1.0)
        return (x, state), x

    start = jnp.array(valley().start)
    path = jax.lax.scan(body, (start, first_state(start)), length=steps)[1]
    return jnp.concatenate([start[None], path])


def gradients_per_step() -> int:
    """How often one step of `nesterov` evaluates the loss; it never asks for a Hessian."""
    calls: list[int] = []

    def counted(x: jax.Array) -> jax.Array:
        calls.append(1)
        return valley()(x)

    start = jnp.array(valley().start)
    tx = rule("nesterov")
    tx.update(jax.grad(counted)(start), tx.init(start), start)
    return len(calls)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-022 over the problems, each its mean over the judged starts; E-62 on one of them."""
    effects = PLANS["C-022"].effects
    plain, ahead = np.moveaxis(np.log10(results["steps"]).mean(axis=-1), 1, 0)
    passed = results["overshoot"].mean(axis=-1)
    kinds, problems = list(results["kinds"]), len(plain)
    parts = [
        paired("overshoot as a share of the way, Nesterov's minus momentum's",
               passed[:, 1] - passed[:, 0], effect=effects["overshoot"], claimed="down", panel="b"),
        paired("log10 of Nesterov's steps over momentum's", ahead - plain,
               effect=effects["log10 steps"], claimed="down", panel="c"),
        tolerance("difference of the two steps less -alpha rho H v, relative",
                  [exactly(error) for error in results["error"]], within=effects["relative"]),
    ]  # fmt: skip
    same = np.log10(results["same settings"]).mean(axis=-1)
    change, low, high = interval(same[:, 1] - same[:, 0])
    starts = results["steps"].shape[-1]
    quadratic = results["steps"][KINDS["quadratic"].sizes.index(100.0), 1].mean()
    return [
        all_of(
            "C-022",
            parts,
            gates=gates(results),
            scope=f"{problems} problems ({', '.join(kinds)}; 2 to 16 parameters), {starts} starts "
            f"each, full gradient, at most {results['max_steps']} updates, float64",
            beside=[
                "log10 of the steps ratio with both rules at Nesterov's own best settings: "
                f"{change:.3g} [{low:.3g}, {high:.3g}]",
                *by_kind(kinds, ahead - plain, passed),
                shared_valley(results),
            ],
        ),
        demonstration(
            "E-62",
            bool(results["error"].max() < 1e-3 and results["calls"] == 1 and quadratic > 1),
            f"Nesterov's step needs {results['calls']} gradient and no Hessian; -alpha rho H v "
            f"appears by itself, to {results['error'].max():.1g}; a quadratic of condition number "
            f"100 takes it {quadratic:.0f} steps, and Newton's method 1",
        ),
    ]


def gates(results: dict[str, Any]) -> list[Gate]:
    """Of `converged` the pilots are momentum's runs from the tuning starts of all problems."""
    shared, edge = int(results["shared starts"].sum()), int(results["edge"].sum())
    baseline, doubled = (
        np.log10(np.minimum(results["doubled"], factor * results["max_steps"])).ravel()
        for factor in (1, 2)
    )
    return [
        Gate("nest", shared == 0, f"rate and rho chosen from other starts, {shared} shared"),
        Gate("edge", edge == 0, f"{edge} of {results['edge'].size} winners at a window's end"),
        converged(baseline, doubled, effect=PLANS["C-022"].effects["log10 steps"]),
    ]


def by_kind(kinds: list[str], change: np.ndarray, passed: np.ndarray) -> list[str]:
    """Means of each kind of problem."""
    rows = zip(kinds, change.reshape(len(kinds), -1), passed.reshape(len(kinds), -1, 2),
               strict=True)  # fmt: skip
    return [
        f"{kind}: log10 of the steps ratio {steps.mean():.3f}, overshoot "
        f"{100 * over[:, 0].mean():.1f} % with momentum and {100 * over[:, 1].mean():.1f} % with "
        "Nesterov's rule"
        for kind, steps, over in rows
    ]


def shared_valley(results: dict[str, Any]) -> str:
    """The overshoot of the drawn paths along the valley."""
    passed = [
        100 * np.max(-results["paths"][name][:, 0] / results["paths"][name][0, 0]) for name in ARMS
    ]
    return (
        f"on the drawn valley, both at rate {RATES['nesterov']} and rho = {DECAY}, momentum "
        f"overshoots by {passed[0]:.0f} % of the way and Nesterov's rule by {passed[1]:.0f} %"
    )


def draw(results: dict[str, Any]) -> Figure:
    """The lecture's contour, and both judged numbers of every problem."""
    fig, (above, overshoots, steps) = figure(1, 3, width=5.6, height=4.6)
    draw_surface(above, results["grid"], start=valley().start, optimum=(0, 0), bar=False)
    for name, path in results["paths"].items():
        draw_path(above, path, name)
    above.set_title(rf"rate 0.02, $\rho$ = {DECAY}; redder = lower loss")
    above.legend(loc="lower right", ncols=2)
    title = "Nesterov minus momentum, each at its own best"
    passed = 100 * results["overshoot"].mean(axis=-1)
    draw_problems(overshoots, results, {"mean,\n95 %": passed[:, 1] - passed[:, 0]})
    overshoots.set(ylabel="change of the overshoot / % of the way", title=title)
    own, same = (
        np.diff(np.log10(results[key]).mean(axis=-1), axis=1)[:, 0]
        for key in ("steps", "same settings")
    )
    draw_problems(steps, results, {
        "mean,\n95 %": 100 * (10**own - 1), "same\nsettings": 100 * (10**same - 1),
    })  # fmt: skip
    steps.set(ylabel="change of the steps / %", title=title)
    return fig


def draw_problems(axes: Axes, results: dict[str, Any], values: dict[str, np.ndarray]) -> None:
    """One dot a problem by kind, and means with their intervals, of the same problems."""
    kinds = list(results["kinds"])
    first, *_ = values.values()
    for at, row in enumerate(first.reshape(len(kinds), -1)):
        axes.plot(at + np.linspace(-0.2, 0.2, len(row)), row, "o", color=COLOURS[at])
    for at, (row, fill) in enumerate(zip(values.values(), ("black", "white"), strict=False)):
        centre, low, high = interval(row)
        bar = [[centre - low], [high - centre]]
        axes.errorbar(len(kinds) + at, centre, bar, fmt="ks", mfc=fill, capsize=4)
    axes.axhline(0, color="grey", linewidth=0.8)
    names = [kind.replace(" ", "\n") for kind in kinds]
    axes.set_xticks(range(len(kinds) + len(values)), [*names, *values], fontsize=10)
