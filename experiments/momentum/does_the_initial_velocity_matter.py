"""Does the initial velocity matter?

003:17 starts v at 0 and says that it makes no difference. On the shared valley with normal gradient
noise of standard deviation 0.1, rate 0.02 inside the velocity, rho = 0.9 and 0.99, float64: five
initial velocities are drawn once, at the root mean square that the run from v = 0 has in each
coordinate, and each is run over the same noise as v = 0. The target is 1 % of the start's loss at
two steps in a row; the final loss is the mean of the last tenth. It makes no difference if both
stay within 5 % (0.02 in log10) for each of the drawn velocities. As a control, velocities a hundred
times as large must need more steps. On flat ground, where nothing but friction acts on v, one sees
besides how much of it a step takes: (1 - rho) v, not rho v as 002:244 and 003:15 have it.

Command: python -m experiments --only does_the_initial_velocity_matter      (CPU, about 3 s)
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import (
    LITERAL,
    Estimate,
    Gate,
    Plan,
    Verdict,
    all_of,
    demonstration,
    exactly,
    figure,
    interval,
    mean,
    ordered,
    tolerance,
)
from experiments.lab.scenes import RATES, VALLEY_START, valley
from jaxtricks import optimizers, surfaces

FIGURES = ("F-100",)
CLAIMS = ("C-019",)
ERRATA = ("E-60", "E-65")

COAST, COASTING = 10, (0.5, 0.9, 0.99, 1.0)


@dataclasses.dataclass(frozen=True)
class Config:
    """Every run has `steps` from `start` at `rate`, with each rho of `decays`, from 0 to under 1.

    There are `draws` initial velocities, in the control `large` times as large, and `seeds` of the
    noise, whose standard deviation is `noise`. The `target` is a share of the start's loss.
    """

    decays: tuple[float, ...] = (0.9, 0.99)
    draws: int = 5
    steps: int = 2000
    seeds: int = 100
    seed: int = 15_019
    start: tuple[float, float] = VALLEY_START
    rate: float = RATES["momentum"]
    noise: float = 0.1
    target: float = 0.01
    large: float = 100.0


SMOKE = Config(draws=2, steps=800, seeds=5)
FULL = Config(draws=20, seeds=500)
PLANS = {
    "C-019": Plan(
        effects={"log10 ratio": 0.02},
        gates=("pos",),
        settings={
            "rate": Config.rate,
            "noise": Config.noise,
            "target": Config.target,
            "control": Config.large,
        },
    )
}


def run(config: Config) -> dict[str, Any]:
    """Log10 ratios to v = 0 `[rho, draw, seed]`, how they fade, and coasting on flat ground."""
    shown = np.unique(np.geomspace(1, config.steps, 120).astype(int))
    with jax.enable_x64(True):
        measured = jax.device_get(measure(config))
    fade = measured["fade"]
    return {
        **measured,
        "decays": config.decays,
        "steps": config.steps,
        "rate": config.rate,
        "noise": config.noise,
        "large": config.large,
        "shown": shown,
        "fade": fade[:, shown],
        "largest": fade.max(axis=1),
        "settled": [settled(row) for row in fade],
    }


@functools.partial(jax.jit, static_argnames="config")
def measure(config: Config) -> dict[str, jax.Array]:
    """All numbers, in one program."""
    keys = jax.random.split(jax.random.key(config.seed), config.seeds + 1)
    draws = jax.random.normal(keys[0], (config.draws, 2))
    noisy = surfaces.with_gradient_noise(valley(), config.noise**2)
    start = jnp.array(config.start)
    tail = config.steps // 10

    def ratios(decay: jax.Array, key: jax.Array, size: float) -> tuple[jax.Array, ...]:
        """Log10 of steps, final losses and all losses, for each draw, over those from rest."""

        def follow(velocity: jax.Array) -> surfaces.Trajectory:
            rule = ball(config.rate, decay, velocity)
            return surfaces.trajectory(rule, noisy, start, config.steps, key=key)

        rest = follow(jnp.zeros(2))
        speed = size * jnp.sqrt(jnp.mean(rest.updates**2, axis=0))
        losses = jax.vmap(follow)(draws * speed[None]).losses
        end = jnp.mean(losses[:, -tail:], axis=1) / jnp.mean(rest.losses[-tail:])
        arrival = functools.partial(first_under, config.target)
        steps = jax.vmap(arrival)(losses) / arrival(rest.losses)
        return jnp.log10(steps), jnp.log10(end), jnp.log10(losses / rest.losses[None])

    def one(decay: jax.Array) -> dict[str, jax.Array]:
        over_seeds = jax.vmap(ratios, (None, 0, None), out_axes=1)
        steps, end, losses = over_seeds(decay, keys[1:], 1.0)
        return {
            "steps ratio": steps,
            "end ratio": end,
            "fade": jnp.mean(jnp.abs(losses), axis=(0, 1)),
            "large ratio": over_seeds(decay, keys[1:], config.large)[0],
        }

    measured = jax.vmap(one)(jnp.array(config.decays))
    return measured | {"coast": jax.vmap(coast)(jnp.array(COASTING))}


def first_under(target: float, losses: jax.Array) -> jax.Array:
    """First step at which the loss is under the target, and at the next one too."""
    under = losses < target * losses[0]
    met = under[:-1] & under[1:]
    return jnp.where(jnp.any(met), jnp.argmax(met), len(losses) - 1)


def coast(decay: jax.Array) -> jax.Array:
    """The velocity on flat ground, from 1."""
    flat = ball(1.0, decay, jnp.ones(()))
    return surfaces.trajectory(flat, lambda x: 0.0 * x, jnp.zeros(()), 30).updates


def ball(rate: float, decay: jax.Array, velocity: jax.Array) -> optax.GradientTransformation:
    """Momentum, rate inside, with an initial velocity of its own in each coordinate."""
    rule = optimizers.momentum(rate, decay=decay, lr_inside=True)

    def init(params: jax.Array) -> Any:
        return optax.tree.set(rule.init(params), velocity=velocity)

    return optax.GradientTransformationExtraArgs(init, rule.update)


def settled(fade: np.ndarray) -> int:
    """From which step on it stays inside the tolerance."""
    beyond = np.flatnonzero(fade > PLANS["C-019"].effects["log10 ratio"])
    return int(np.max(beyond, initial=-1)) + 1


def estimate(values: np.ndarray) -> Estimate:
    """The mean over the seeds; exact where all runs have become equal bit by bit."""
    return exactly(values[0]) if np.ptp(values) == 0 else mean(values)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """C-019 for each velocity; E-65: it matters early and no longer at the end."""
    within = PLANS["C-019"].effects["log10 ratio"]
    decays, largest = results["decays"], results["largest"]
    draws, seeds = results["steps ratio"].shape[1:]
    parts = [
        tolerance(
            f"log10 of {what} over that from v = 0",
            [estimate(row) for row in results[key].reshape(-1, seeds)],
            within=within,
            panel="a",
        )
        for what, key in (("the steps to the target", "steps ratio"),
                          ("the final loss", "end ratio"))
    ]  # fmt: skip
    least = results["large ratio"].mean(axis=2).min()
    shown = Gate(
        "pos",
        bool(least > within),
        f"velocities {results['large']:g} times as large change log10 of the steps by "
        f"{least:.2g} or more",
    )
    coasted = results["coast"][:, COAST - 1]
    return [
        all_of(
            "C-019",
            parts,
            gates=[shown],
            scope=f"quadratic of 2 weights, condition number 20, gradient noise "
            f"{results['noise']}, momentum {' and '.join(f'{decay:g}' for decay in decays)} at "
            f"rate {results['rate']}, {draws} initial velocities at the run's own rms, "
            f"{results['steps']} updates, float64",
            beside=[beside(results, i) for i in range(len(decays))],
        ),
        demonstration(
            "E-60",
            bool(abs(coasted[1] - 0.9**COAST) < 1e-4 and abs(coasted[3] - 1) < 1e-6),
            f"on flat ground {COAST} steps leave {coasted[1]:.3f} of the velocity at rho = 0.9 and "
            f"{coasted[3]:g} at rho = 1; if rho were the friction, they would leave "
            f"{0.1**COAST:.0e} and nothing",
            panel="c",
        ),
        demonstration(
            "E-65",
            bool(largest.min() > within and results["fade"][:, -1].max() < within),
            f"at rho = {decays[0]:g} and {decays[1]:g} the initial velocity changes the loss by a "
            f"factor of up to {10 ** largest[0]:.3g} and {10 ** largest[1]:.3g}, and by under 5 % "
            f"only from steps {results['settled'][0]} and {results['settled'][1]} on",
            panel="b",
        ),
    ]


def beside(results: dict[str, Any], i: int) -> str:
    """What the velocities change in the steps at one rho: on average, and in a single run."""
    steps = results["steps ratio"][i]
    average, low, high = interval(steps.mean(axis=0))
    return (
        f"rho = {results['decays'][i]:g}: log10 of the steps ratio is {average:.3g} [{low:.3g}, "
        f"{high:.3g}] on average of all velocities; its size in a single run is "
        f"{np.abs(steps).mean():.3g}"
    )


def draw(results: dict[str, Any]) -> Figure:
    """Both judged ratios for each velocity, how they fade, and the velocity on flat ground."""
    fig, (judged, fade, coasting) = figure(1, 3, width=5.4, height=4.6)
    draw_ratios(judged, results)
    for i, decay in enumerate(results["decays"]):
        label = rf"$\rho$ = {decay:g}"
        y = np.maximum(results["fade"][i], 1e-9)
        fade.loglog(results["shown"], y, color=ordered("decay", decay), label=label)
    fade.axhline(PLANS["C-019"].effects["log10 ratio"], color="grey", linestyle=":")
    fade.set(xlabel="step", ylabel="mean |log10 loss ratio|", ylim=(1e-6, 1))
    fade.set_title("how it fades (dotted: 5 %)")
    fade.legend(loc="lower left")
    step = np.arange(1, 31)
    for left, decay, at in zip(results["coast"], COASTING, (1, 6, 13, 20), strict=True):
        colour = ordered("decay", decay)
        coasting.plot(step, left, color=colour)
        coasting.text(step[at] + 0.5, left[at] + 0.02, rf"$\rho$ = {decay:g}", color=colour)
    coasting.plot(step, 0.1**step, ":", color=LITERAL, label=r"0.9 if $\rho$ were the friction")
    coasting.set(xlabel="step", ylabel="velocity left (start: 1)", ylim=(-0.03, 1.1))
    coasting.set_title(r"flat ground: friction takes $1-\rho$")
    coasting.legend(loc="center right")
    return fig


def draw_ratios(axes: Axes, results: dict[str, Any]) -> None:
    """Steps and final loss for every rho and velocity, over those from rest, in percent."""
    within = PLANS["C-019"].effects["log10 ratio"]
    draws, seeds = results["steps ratio"].shape[1:]
    starts, names = [], []
    for key, what in (("steps ratio", "steps"), ("end ratio", "final loss")):
        for i, decay in enumerate(results["decays"]):
            starts.append(len(starts) * (draws + 1))
            names.append(f"{what},\n" + rf"$\rho$ = {decay:g}")
            rows = 100 * (10 ** np.array([interval(row) for row in results[key][i]]) - 1)
            bars = np.abs(rows[:, 1:] - rows[:, :1]).T
            axes.errorbar(starts[-1] + np.arange(draws), rows[:, 0], bars, fmt="o", capsize=3,
                          color=ordered("decay", decay))  # fmt: skip
    low, high = (100 * (10**end - 1) for end in (-within, within))
    axes.axhspan(low, high, color="grey", alpha=0.2, linewidth=0)
    axes.set_xticks(np.array(starts) + (draws - 1) / 2, names)
    axes.set_ylabel("change from $v_0 = 0$ / % (grey: ±5)")
    axes.set_title(f"{draws} velocities, mean and 95 % of {seeds} seeds")
