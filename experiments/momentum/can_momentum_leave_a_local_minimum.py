"""Can momentum carry a ball out of a local minimum?

004:40 and 004:129-133: no guarantee of the global minimum, "but give some hope". The tilted double
well (x^2 - 1)^2 - c x at rate 0.02: where gradient descent and momentum end from the left slope,
for every rho and initial velocity; and random wells with c uniform on [0, 1.2] and starts uniform
on [-1.8, 1.8]: the share that ends in the deeper, right well. "No guarantee" is a failure: a run of
momentum that ends in the worse well. "Some hope" is a gain: that share for rho = 0.9, less gradient
descent's, of the same wells, by McNemar's exact test. As a control the same starts are run with
c from 1.6 to 2.4, where there is no second well and every run must find the only minimum.

Command: python -m experiments --only can_momentum_leave_a_local_minimum      (CPU, about 2 s)
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    Gate,
    Plan,
    Verdict,
    all_of,
    figure,
    holds,
    method,
    ordered,
    paired,
    share,
    share_difference,
)
from jaxtricks import optimizers, surfaces

FIGURES = ("F-036",)
CLAIMS = ("C-021",)


@dataclasses.dataclass(frozen=True)
class Config:
    """Every run has `steps` at `rate`; the escape map has `points` per axis, and its well is tilted
    by `tilt`.

    Of `wells` random ones the tilts lie between 0 and `largest_tilt`, and the starts within `reach`
    of 0. The rho of `decays` that is `shown` is judged. The control's tilts lie between those of
    `one_well`: over 8 / (3 sqrt 3) = 1.54 the slope has one root.
    """

    points: int = 61
    wells: int = 1000
    decays: tuple[float, ...] = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)
    steps: int = 2000
    path_steps: int = 120
    seed: int = 15_021
    rate: float = 0.02
    tilt: float = 0.5
    largest_tilt: float = 1.2
    reach: float = 1.8
    shown: float = 0.9
    one_well: tuple[float, float] = (1.6, 2.4)


SMOKE = Config(points=13, wells=100, steps=600)
FULL = Config(points=201, wells=20_000, steps=5000)
PLANS = {
    "C-021": Plan(
        effects={"share": 0.02},
        gates=("pos",),
        settings={"rate": Config.rate, "rho": Config.shown, "tilts": (0.0, Config.largest_tilt),
                  "starts": Config.reach, "tilts of one well": Config.one_well},
    )
}  # fmt: skip


def run(config: Config) -> dict[str, Any]:
    """One pair of paths, the escape map, and the random wells."""
    decays = np.linspace(0.0, 0.99, config.points, dtype=np.float32)
    velocities = np.linspace(-0.1, 0.3, config.points, dtype=np.float32)
    fine = np.linspace(0.0, 0.99, 991, dtype=np.float32)
    escaped, threshold = map(np.asarray, escapes(decays, velocities, fine, config))
    wells, single = map(np.asarray, random_wells(config))
    return {
        "map_decays": decays,
        "map_velocities": velocities,
        "escaped": escaped.astype(int),
        "threshold": fine[threshold.argmax()] if threshold.any() else 1.0,
        "decays": config.decays,
        "deeper": wells.astype(int),
        "single": single.mean(axis=1),
        "steps": config.steps,
        "rate": config.rate,
        "shown": config.shown,
        **drawn_paths(config),
    }


@functools.partial(jax.jit, static_argnames="config")
def escapes(
    decays: jax.Array, velocities: jax.Array, fine: jax.Array, config: Config
) -> tuple[jax.Array, jax.Array]:
    """Whether the picture's ball escapes `[decay, velocity]`, and from rest `[fine]`."""
    tilt, start = jnp.array(config.tilt), surfaces.double_well(config.tilt).start

    def one(decay: jax.Array, velocity: jax.Array) -> jax.Array:
        return ends_right(config, tilt, start, decay, velocity)

    over_map = jax.vmap(jax.vmap(one, (None, 0)), (0, None))
    return over_map(decays, velocities), jax.vmap(one, (0, None))(fine, jnp.zeros(()))


@functools.partial(jax.jit, static_argnames="config")
def random_wells(config: Config) -> tuple[jax.Array, jax.Array]:
    """Whether the runs `[decay, well]` end in the deeper well, and in the only one there is."""
    keys = jax.random.split(jax.random.key(config.seed), 3)
    tilts = jax.random.uniform(keys[0], (config.wells,), maxval=config.largest_tilt)
    starts = jax.random.uniform(keys[1], (config.wells,), minval=-config.reach, maxval=config.reach)
    least, most = config.one_well
    steep = jax.random.uniform(keys[2], (config.wells,), minval=least, maxval=most)

    def over(runs: Callable) -> Callable:
        return jax.vmap(jax.vmap(runs, (0, 0, None)), (None, None, 0))

    def right(tilt: jax.Array, start: jax.Array, decay: jax.Array) -> jax.Array:
        return ends_right(config, tilt, start, decay, jnp.zeros(()))

    def settles(tilt: jax.Array, start: jax.Array, decay: jax.Array) -> jax.Array:
        well = surfaces.double_well(tilt)
        end = surfaces.trajectory(ball(config, decay, 0.0), well, start, config.steps).points[-1]
        return jnp.abs(jax.grad(well)(end)) < 1e-2

    decays = jnp.array(config.decays)
    return over(right)(tilts, starts, decays), over(settles)(steep, starts, decays)


def ends_right(
    config: Config, tilt: jax.Array, start: jax.Array, decay: jax.Array, velocity: jax.Array
) -> jax.Array:
    """Whether a run ends right of the hill's top (the middle root of the slope)."""
    well = surfaces.double_well(tilt)
    end = surfaces.trajectory(ball(config, decay, velocity), well, start, config.steps).points[-1]
    angle = jnp.arccos(tilt / (8 / (3 * jnp.sqrt(3.0)))) / 3
    top = 2 / jnp.sqrt(3.0) * jnp.cos(angle - 2 * jnp.pi / 3)
    return end > top


def ball(
    config: Config, decay: jax.Array | float, velocity: jax.Array | float
) -> optax.GradientTransformation:
    """Momentum, rate inside, with an initial velocity."""
    rule = optimizers.scale_by_momentum(decay, initial_velocity=velocity)
    return optax.chain(optimizers.gradient_descent(config.rate), rule)


@functools.partial(jax.jit, static_argnames="config")
def drawn_paths(config: Config) -> dict[str, Any]:
    """The hill and both balls on it."""
    well = surfaces.double_well(config.tilt)
    x = jnp.linspace(-config.reach, config.reach, 181)
    plain, heavy = optimizers.gradient_descent(config.rate), ball(config, config.shown, 0.0)
    paths = {"gradient descent": plain, "momentum": heavy}
    results: dict[str, Any] = {"x": x, "hill": jax.vmap(well)(x)}
    for name, tx in paths.items():
        path = surfaces.trajectory(tx, well, well.start, config.path_steps)
        results |= {f"{name} x": path.points, f"{name} loss": path.losses}
    return results


def judge(results: dict[str, Any]) -> list[Verdict]:
    """No guarantee: a run that fails. Some hope: momentum 0.9 ends right more often."""
    wells, rho = np.asarray(results["deeper"], bool), results["shown"]
    shown = list(results["decays"]).index(rho)
    heavy, plain = wells[shown], wells[0]
    n = len(plain)
    single = results["single"][[0, shown]]
    parts = [
        holds(
            f"of {n} runs with rho = {rho} {np.sum(~heavy)} end in the worse well",
            bool(np.any(~heavy)),
            panel="c",
        ),
        paired(
            f"share that ends in the deeper well with rho = {rho}, minus gradient descent's",
            share_difference(heavy, plain),
            effect=PLANS["C-021"].effects["share"],
            claimed="up",
            panel="c",
        ),
    ]
    gate = Gate(
        "pos",
        bool(np.all(single == 1)),
        f"where there is one well, {100 * single[0]:.4g} % of gradient descent's runs and "
        f"{100 * single[1]:.4g} % of momentum's end in it",
    )
    beside = (
        f"{np.sum(heavy & ~plain)} of the {np.sum(~plain)} runs that gradient descent leaves in "
        f"the worse well are freed, and {np.sum(~heavy & plain)} of the other {np.sum(plain)} "
        "leave the deeper one",
    )
    scope = (
        f"{n} random double wells and starts, 1 parameter, {results['steps']} full-gradient steps "
        f"at rate {results['rate']}, float32"
    )
    return [all_of("C-021", parts, scope=scope, gates=[gate], beside=beside)]


def draw(results: dict[str, Any]) -> Figure:
    """The balls on the hill, the escape map, and the random wells."""
    fig, (hill, escape, shares) = figure(1, 3, height=4.6)
    draw_hill(hill, results)
    cmap = "RdYlBu_r"
    escape.pcolormesh(
        results["map_velocities"], results["map_decays"], results["escaped"], cmap=cmap,
        vmin=-0.3, vmax=1.3, shading="nearest", rasterized=True,
    )  # fmt: skip
    escape.axvline(0, color="black", linestyle=":", linewidth=1)
    escape.set(xlabel="initial velocity $v_0$ (per step)", ylabel=r"momentum $\rho$")
    escape.text(0.1, 0.4, "stays", ha="center")
    escape.text(0.1, 0.87, "ends in the deeper well", ha="center", va="center")
    escape.set_title(rf"without a push: crosses from $\rho$ = {results['threshold']:.3f}")
    escape.grid(False)
    draw_shares(shares, results)
    return fig


def draw_shares(axes: Axes, results: dict[str, Any]) -> None:
    """The share of every rho, with Clopper and Pearson's interval."""
    wells = np.asarray(results["deeper"])
    for at, (decay, row) in enumerate(zip(results["decays"], wells, strict=True)):
        found = share(row.sum(), len(row))
        bar = [[100 * (found.value - found.low)], [100 * (found.high - found.value)]]
        axes.bar(at, 100 * found.value, yerr=bar, color=ordered("decay", decay), capsize=3)
    axes.set_xticks(range(len(wells)), [f"{decay:g}" for decay in results["decays"]])
    axes.set(xlabel=r"momentum $\rho$", ylabel="ends in the deeper well / %", ylim=(0, 100))
    axes.set_title(f"{wells.shape[1]} wells, 95 % of each share")


def draw_hill(axes: Axes, results: dict[str, Any]) -> None:
    axes.plot(results["x"], results["hill"], color="grey", linewidth=2, zorder=1)
    for name in ("gradient descent", "momentum"):
        x, y = results[f"{name} x"], results[f"{name} loss"]
        look = method(name)
        axes.plot(x, y, "o", color=look["color"], ms=4, alpha=0.35, zorder=2)
        axes.plot(x[-1], y[-1], "o", color=look["color"], mec="black", ms=11, label=name, zorder=4)
    axes.plot(results["momentum x"][0], results["momentum loss"][0], "o", mfc="white", mec="black",
              ms=9, zorder=5, label="start")  # fmt: skip
    axes.set(xlabel="$x$", ylabel="loss")
    axes.set_title(rf"every step, $\rho$ = {results['shown']}, rate {results['rate']}")
    axes.legend(loc="upper right")
