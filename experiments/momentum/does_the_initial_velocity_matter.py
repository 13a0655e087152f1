"""Does the initial velocity matter?

003:17 starts v at 0 and says it makes no difference. On the shared valley with gradient noise
N(0, I), rate 0.02 inside the velocity, v_0 = 0 and +-0.5 a step in both coordinates, the same noise
for all: the ratio of the mean losses at 10 to 1000 steps. It does not matter if every ratio is
within 10 % of 1. Also without noise, and on flat ground, where v_t = rho^t v_0: friction takes
(1 - rho) v a step, not rho v as 002:244 and 003:15 have it, and rho = 1 has none. (After a first
look the runs went to float64, with other noise: the outcome did not change.)

Command: python -m experiments --only does_the_initial_velocity_matter      (CPU, about 2 s)
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

from experiments.engine import COLOURS, LITERAL, figure
from experiments.engine.before import Verdict, exact
from experiments.scenes import RATES, valley
from jaxtricks import optimizers, surfaces

FIGURES = ("F-100",)
CLAIMS = ("C-019",)
ERRATA = ("E-60", "E-65")

RATE, MARGIN = RATES["momentum"], 0.1
TIMES = (10, 30, 100, 300, 1000)
COAST, COASTING = 10, (0.5, 0.9, 0.99, 1.0)


@dataclasses.dataclass(frozen=True)
class Config:
    """`velocities`: v_0, with 0 first; `decays`: rho."""

    velocities: tuple[float, ...] = (0.0, 0.5, -0.5)
    decays: tuple[float, ...] = (0.9, 0.99)
    seeds: int = 20


SMOKE = Config(seeds=5)
FULL = Config(seeds=500)


def run(config: Config) -> dict[str, Any]:
    """Mean losses `[decay, velocity, time]` with and without noise, and coasting on flat ground."""
    shown = np.unique(np.geomspace(1, TIMES[-1], 120).astype(int))
    with jax.enable_x64(True):
        noisy, clean, coasted = jax.device_get(measure(config))
    worst = {"noisy": from_here_on(noisy), "clean": from_here_on(clean)}
    return {
        "decays": config.decays,
        "velocities": config.velocities,
        "times": TIMES,
        "shown": shown,
        "seeds": config.seeds,
        "noisy": noisy[:, :, shown],
        "noisy worst": worst["noisy"][:, shown],
        "clean worst": worst["clean"][:, shown],
        "ratios": noisy[:, 1:, np.array(TIMES)] / noisy[:, :1, np.array(TIMES)],
        "settled": np.argmax(worst["noisy"] <= MARGIN, axis=1),
        "coast_decays": COASTING,
        "coast": coasted,
    }


@functools.partial(jax.jit, static_argnames="config")
def measure(config: Config) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Losses `[decay, velocity, time]` with and without noise, and velocities on flat ground."""
    velocities, decays = jnp.array(config.velocities), jnp.array(config.decays)

    def every(losses: Callable) -> jax.Array:
        over_velocities = jax.vmap(losses, (None, 0))
        return jax.vmap(over_velocities, (0, None))(decays, velocities)

    noisy = every(lambda decay, velocity: noisy_losses(decay, velocity, config.seeds))
    return noisy, every(clean_losses), jax.vmap(coast)(jnp.array(COASTING))


def noisy_losses(decay: jax.Array, velocity: jax.Array, seeds: int) -> jax.Array:
    """Mean over the seeds; the same noise for every velocity."""
    noisy = surfaces.with_gradient_noise(valley(), 1.0)
    keys = jax.random.split(jax.random.key(0), seeds)

    def one(key: jax.Array) -> jax.Array:
        rule = ball(decay, velocity)
        start = jnp.array(valley().start)
        return surfaces.trajectory(rule, noisy, start, TIMES[-1], key=key).losses

    return jnp.mean(jax.vmap(one)(keys), axis=0)


def clean_losses(decay: jax.Array, velocity: jax.Array) -> jax.Array:
    start = jnp.array(valley().start)
    return surfaces.trajectory(ball(decay, velocity), valley(), start, TIMES[-1]).losses


def coast(decay: jax.Array) -> jax.Array:
    """The velocity on flat ground, from 1."""
    flat = ball(decay, jnp.ones(()))
    return surfaces.trajectory(flat, lambda x: 0.0 * x, jnp.zeros(()), 30).updates


def from_here_on(losses: np.ndarray) -> np.ndarray:
    """The largest |ratio - 1| from each step on, over the initial velocities: `[decay, time]`."""
    off = np.max(np.abs(losses[:, 1:] / losses[:, :1] - 1), axis=1)
    return np.maximum.accumulate(off[:, ::-1], axis=1)[:, ::-1]


def ball(decay: jax.Array, velocity: jax.Array) -> optax.GradientTransformation:
    """Momentum, rate inside, with an initial velocity."""
    rule = optimizers.scale_by_momentum(decay, initial_velocity=velocity)
    return optax.chain(optimizers.gradient_descent(RATE), rule)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-019 by the margin at every time; E-65: it matters early and no longer at the end."""
    ratios = results["ratios"]
    off = np.abs(ratios - 1).max(axis=1)
    early, end = off[:, 0], off[:, -1]
    texts = [
        f"rho {decay:g}: loss ratio " + ", ".join(
            f"{row[np.abs(row - 1).argmax()]:.3g} at {time}"
            for time, row in zip(results["times"], ratios[i].T, strict=True)
        )
        for i, decay in enumerate(results["decays"])
    ]  # fmt: skip
    coasted = results["coast"][:, COAST - 1]
    return [
        exact("C-019", off.max() <= MARGIN, "; ".join(texts)),
        exact(
            "E-60",
            abs(coasted[1] - 0.9**COAST) < 1e-4 and abs(coasted[3] - 1) < 1e-6,
            f"on flat ground {COAST} steps leave {coasted[1]:.3f} of the velocity at rho = 0.9 "
            f"(friction 1 - rho), {coasted[3]:.3f} at rho = 1; if rho were the friction, 0.9 would "
            f"leave {0.1**COAST:.0e} and 1 would stop at once",
        ),
        exact(
            "E-65",
            early.max() > MARGIN and end.max() < MARGIN,
            f"the worst loss ratio is off by {100 * early.max():.0f} % at {results['times'][0]} "
            f"steps and {100 * end.max():.2g} % at {results['times'][-1]}; it stays within 10 % "
            f"from step {results['settled'][0]} at 0.9 and {results['settled'][1]} at 0.99",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """Loss ratios with and without noise, and the velocity on flat ground."""
    fig, axes = figure(1, 3, width=4.3)
    ratios, worst, coasting = axes
    for i, decay in enumerate(results["decays"]):
        for j, line in ((1, "-"), (2, "--")):
            ratio = results["noisy"][i, j] / results["noisy"][i, 0]
            label = rf"$\rho$ = {decay:g}, $v_0$ = {results['velocities'][j]:+g}"
            ratios.loglog(results["shown"], ratio, line, color=COLOURS[i], label=label)
        for kind, line in (("noisy", "-"), ("clean", ":")):
            label = rf"$\rho$ = {decay:g}, {'with' if kind == 'noisy' else 'without'} noise"
            y = np.maximum(results[f"{kind} worst"][i], 1e-6)
            worst.loglog(results["shown"], y, line, color=COLOURS[i], label=label)
    ratios.axhspan(1 / 1.1, 1.1, color="grey", alpha=0.25, linewidth=0)
    ratios.set(xlabel="step", ylabel="loss / loss from $v_0 = 0$", ylim=(0.03, 1000))
    ratios.set_title(f"gradient noise, mean of {results['seeds']} seeds (grey: ±10 %)")
    worst.axhline(MARGIN, color="grey", linewidth=0.8)
    worst.set(xlabel="step", ylabel="largest |loss ratio − 1| from here on")
    worst.set_title("it fades where noise remains (line: 10 %)")
    step = np.arange(1, 31)
    for left, decay, i in zip(results["coast"], results["coast_decays"], (2, 0, 1, 3), strict=True):
        coasting.plot(step, left, color=COLOURS[i], label=rf"$\rho$ = {decay:g}")
    coasting.plot(step, 0.1**step, ":", color=LITERAL, label=r"0.9 if $\rho$ were the friction")
    coasting.set(
        xlabel="step", ylabel="velocity left of 1", title=r"flat ground: friction is $1-\rho$"
    )
    ratios.legend()
    worst.legend(loc="lower left")
    coasting.legend(loc="center right", bbox_to_anchor=(1, 0.6))
    return fig
