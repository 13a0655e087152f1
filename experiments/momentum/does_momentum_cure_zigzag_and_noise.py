"""Does momentum cure the zig-zag and the noise of stochastic gradient descent?

The lecture says so (002:243-257, 003:15, 004:173). Valleys f = (w1^2 + kappa w2^2) / 2 from (1, 1);
momentum has rho = 0.9; both methods take the best of one grid of rates. Zig-zag: steps until the
gradient is 1e-6 of its first norm, and the energy h2 w2^2 / 2 of the steep coordinate added up over
those paths' first `travel_steps`. Noise: the valley turned by 30 degrees with gradient noise
N(0, I): the loss after `noisy_steps` (mean of the last tenth), rates chosen on other seeds. Noise
alone: the loss that stays when both start at the optimum, at the same alpha / (1 - rho); closed
form sigma^2 / 2 * sum a / (2 - c a h), c = 1 and (1 - rho) / (1 + rho). E-85: 003:15 has momentum
remedy the speed across the valley as such; the rule was written once the numbers were known.

Command: python -m experiments --only does_momentum_cure_zigzag_and_noise      (CPU, about 4 s)
"""

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import band, draw_path, draw_surface, figure, interval, method, surface_grid
from experiments.engine.before import Verdict, combine, exact, paired
from experiments.scenes import DECAY, RATES, rotated_valley
from jaxtricks import optimizers, surfaces

FIGURES = ("F-024",)
CLAIMS = ("C-013",)
ERRATA = ("E-85",)

NAMES = ("gradient descent", "momentum")
TOLERANCE, NOISE = 1e-6, 1.0


@dataclasses.dataclass(frozen=True)
class Config:
    """`rates`: of the grid, times h2 from 0.01 to 3.8; `max_steps`: of the noiseless runs."""

    condition_numbers: tuple[float, ...] = (10.0, 100.0, 1000.0)
    rates: int = 24
    max_steps: int = 6000
    travel_steps: int = 100
    noisy_steps: int = 200
    thin: int = 2
    seeds: int = 20


SMOKE = Config(condition_numbers=(10.0, 100.0), rates=10, max_steps=2000, noisy_steps=60, seeds=5)
FULL = Config(rates=60, max_steps=20_000, thin=20, seeds=200)


def run(config: Config) -> dict[str, Any]:
    """Everything for both methods; the arms share noise keys."""
    start_loss, measured = jax.device_get(measure(config))
    results: dict[str, Any] = {
        "grid": surface_grid(rotated_valley()),
        "thin": config.thin,
        "condition_numbers": config.condition_numbers,
        "start_loss": start_loss,
    }
    for key, of_methods in measured.items():
        for name, values in zip(NAMES, of_methods, strict=True):
            results[f"{name} {key}"] = values
    return results


@functools.partial(jax.jit, static_argnames="config")
def measure(config: Config) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The start's loss and all of both methods, in one program: gradient descent is momentum 0."""
    kappas = jnp.array(config.condition_numbers)
    grid = jnp.geomspace(0.01, 3.8, config.rates)
    keys = jax.random.split(jax.random.key(0), 2 * config.seeds)

    def one(decay: jax.Array) -> dict[str, jax.Array]:
        paths = noisy_paths(decay, keys[: config.seeds], config.noisy_steps)
        steps, energy, rate = zigzag(decay, kappas, grid, config)
        final, noisy_rate = noisy_losses(decay, kappas, grid, keys, config)
        return {
            "path": paths.points[0],
            "losses": paths.losses[:, :: config.thin],
            "steps": steps,
            "energy": energy,
            "rate times h2": rate,
            "noisy loss": final,
            "noisy rate times h2": noisy_rate,
            "noise alone": jnp.mean(noise_alone(decay, keys)),
        }

    start_loss = rotated_valley()(jnp.array(rotated_valley().start))
    return start_loss, jax.vmap(one)(jnp.array([0.0, DECAY]))


def noisy_paths(decay: jax.Array, keys: jax.Array, steps: int) -> surfaces.Trajectory:
    """The lecture's contour: shared start and rates, gradient noise N(0, I)."""
    noisy = surfaces.with_gradient_noise(rotated_valley(), NOISE)
    start = jnp.array(rotated_valley().start, jnp.float32)
    tx = optimizers.momentum(RATES["momentum"], decay=decay)
    follow = functools.partial(surfaces.trajectory, tx, noisy, start, steps)
    return jax.vmap(lambda key: follow(key=key))(keys)


def zigzag(decay: jax.Array, kappas: jax.Array, grid: jax.Array, config: Config) -> tuple:
    """Fewest steps over the grid, the steep energy at that rate, and the rate times h2."""

    def one(kappa: jax.Array, fraction: jax.Array) -> tuple[jax.Array, jax.Array]:
        valley, start = surfaces.quadratic(jnp.stack([jnp.ones(()), kappa])), jnp.ones(2)
        tx = optimizers.momentum(fraction / kappa, decay=decay)
        end = surfaces.descend(
            tx, valley, start, tolerance=TOLERANCE * kappa, max_steps=config.max_steps
        )
        found = end.gradient_norm < TOLERANCE * kappa
        path = surfaces.trajectory(tx, valley, start, config.travel_steps)
        energy = jnp.sum(path.points[:, 1] ** 2) / path.points[0, 1] ** 2
        return jnp.where(found, end.steps, config.max_steps), energy

    steps, energy = jax.vmap(jax.vmap(one, (None, 0)), (0, None))(kappas, grid)
    best, rows = jnp.argmin(steps, axis=1), jnp.arange(len(kappas))
    return steps[rows, best], energy[rows, best], grid[best]


def noisy_losses(decay: jax.Array, kappas: jax.Array, grid: jax.Array, keys: jax.Array, config):
    """Final losses [kappa, seed] on the first keys; rates chosen on the second half."""
    tail = max(config.noisy_steps // 10, 1)

    def one(kappa: jax.Array, fraction: jax.Array, key: jax.Array) -> jax.Array:
        curvatures = jnp.stack([jnp.ones(()), kappa])
        valley = surfaces.quadratic(curvatures, angle=math.pi / 6)
        noisy = surfaces.with_gradient_noise(valley, NOISE)
        tx = optimizers.momentum(fraction / kappa, decay=decay)
        path = surfaces.trajectory(tx, noisy, valley.start, config.noisy_steps, key=key)
        loss = jnp.mean(path.losses[-tail:])
        return jnp.where(jnp.isfinite(loss), loss, jnp.inf)

    over_seeds = jax.vmap(one, (None, None, 0))
    over_rates = jax.vmap(over_seeds, (None, 0, None))
    losses = jax.vmap(over_rates, (0, None, None))(kappas, grid, keys)
    tuning = jnp.mean(losses[..., config.seeds :], axis=-1)
    best = jnp.argmin(tuning, axis=1)
    return losses[jnp.arange(len(kappas)), best, : config.seeds], grid[best]


def noise_alone(decay: jax.Array, keys: jax.Array) -> jax.Array:
    """Mean loss of the second half of 400 steps from the optimum, effective rate 1.5 / h2."""
    tx = optimizers.momentum(1.5 / 20 * (1 - decay), decay=decay)
    noisy = surfaces.with_gradient_noise(surfaces.quadratic((1.0, 20.0)), NOISE)
    follow = functools.partial(surfaces.trajectory, tx, noisy, jnp.zeros(2), 400)
    return jax.vmap(lambda key: jnp.mean(follow(key=key).losses[200:]))(keys)


def judge(results: dict[str, Any]) -> list[Verdict]:
    """Per condition number: fewer steps and less energy; and a smaller loss under noise. E-85 if
    the energy is nowhere less, and in the worst valley the steps are fewer all the same."""
    parts, energies = [], []
    plain, heavy = NAMES
    for i, kappa in enumerate(results["condition_numbers"]):
        steps = [int(results[f"{name} steps"][i]) for name in NAMES]
        energy = [float(results[f"{name} energy"][i]) for name in NAMES]
        energies.append(energy)
        parts.append(
            exact(
                "C-013",
                steps[1] < steps[0] and energy[1] < energy[0],
                f"kappa {kappa:.0f}: {steps[0]} steps without, {steps[1]} with momentum, steep "
                f"energy {energy[0]:.1f} and {energy[1]:.1f} times the start's",
            )
        )
        gain = np.log10(results[f"{plain} noisy loss"][i] / results[f"{heavy} noisy loss"][i])
        parts.append(
            paired("C-013", gain, "noisy, log10 loss ratio without / with", claimed="positive")
        )
    alone = results[f"{heavy} noise alone"] / results[f"{plain} noise alone"]
    text = "; ".join(f"{part.measured} ({part.outcome})" for part in parts)
    text += f"; noise alone, at equal alpha / (1 - rho), leaves {alone:.2f} times the loss"
    across = ", ".join(f"{b / a:.2g}" for a, b in energies)
    along = f"{steps[0]} steps without, {steps[1]} with momentum at kappa {kappa:.0f}"
    as_such = all(b < a for a, b in energies)
    return [
        combine("C-013", parts, text),
        exact(
            "E-85",
            not as_such and steps[1] < steps[0],
            f"momentum multiplies the energy across the valley by {across}, and yet {along}: what "
            "it remedies is the slow progress along it",
        ),
    ]


def draw(results: dict[str, Any]) -> Figure:
    """The lecture's contour with one seed, the loss over all seeds, and both tuned comparisons."""
    fig, (above, losses, steps, noisy) = figure(2, 2, width=4.8, height=3.5)
    draw_surface(
        above, results["grid"], start=results["momentum path"][0], optimum=(0, 0), logarithmic=True
    )
    reach = 0.01 * results["start_loss"]
    for name in NAMES:
        draw_path(above, results[f"{name} path"], name)
        draw_losses(losses, results[f"{name} losses"], results["thin"], name)
    above.set_title("gradient noise N(0, I), rate 0.02, one seed (redder = lower loss)")
    above.legend(loc="lower right", frameon=True)
    losses.axhline(reach, color="grey", linestyle=":", label="1 % of the start's")
    seeds = len(results["momentum losses"])
    losses.set(xlabel="step", ylabel="loss", yscale="log")
    below = [results["thin"] * settled(results[f"{name} losses"], reach) for name in NAMES]
    losses.set_title(
        f"the same, mean and 95 % interval, {seeds} seeds\n"
        f"under 1 % for good from step {below[0]}, momentum {below[1]}"
    )
    losses.legend()
    kappa = results["condition_numbers"]
    for name, shift in zip(NAMES, (0.96, 1.04), strict=True):
        steps.loglog(kappa, results[f"{name} steps"], marker="o", **method(name))
        rows = np.array([interval(row) for row in results[f"{name} noisy loss"]])
        bars = np.abs(rows[:, 1:] - rows[:, :1]).T
        noisy.errorbar(shift * kappa, rows[:, 0], bars, marker="o", capsize=3, **method(name))
    steps.set(xlabel=r"condition number $\kappa$", ylabel=r"steps to $10^{-6}$ of the gradient")
    steps.set_title("without noise, best rate of the grid")
    noisy.set(xlabel=r"condition number $\kappa$", ylabel="final loss", xscale="log", yscale="log")
    noisy.set_title(f"with noise, best rate, mean and 95 %, {seeds} seeds")
    steps.legend()
    noisy.legend()
    return fig


def settled(losses: np.ndarray, reach: float) -> int:
    """From where on the mean over the seeds stays below `reach`."""
    return int(np.max(np.flatnonzero(losses.mean(axis=0) >= reach), initial=-1)) + 1


def draw_losses(axes: Axes, losses: np.ndarray, thin: int, name: str) -> None:
    """Mean over the seeds, with its interval."""
    rows = np.array([interval(column) for column in losses.T])
    band(axes, thin * np.arange(len(rows)), *rows.T, **method(name))
