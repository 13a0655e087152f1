"""Zig-zag and noise of gradient descent and momentum on valleys, each at its own best settings."""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from experiments.engine import Tuned
from experiments.momentum._final_loss import final_loss
from experiments.momentum._tuned_steps import OCTAVES, TOLERANCE, window
from jaxtricks import optimizers, surfaces

NAMES = ("gradient descent", "momentum")
RESAMPLES, LEAST = 200, 1e-12


def tune(name: str, run: Callable, tuning: jax.Array, judged: jax.Array, kappa: float) -> Tuned:
    """Windows that close in on the least mean of "tuned"; the last one's choice is resampled.

    `run(grid, keys)` gives arrays `[trial, key]`.
    """
    centre = np.array([-1 - math.log2(kappa), -4.0])  # log2 of the rate and of 1 - rho
    for octave in OCTAVES:
        grid = trials(name, centre, octave)
        found = np.asarray(run(grid, tuning)["tuned"])
        best = int(np.argmin(found.mean(axis=1)))
        centre = grid[best]
    seeds = found.shape[1]
    draws = np.random.default_rng(0).integers(0, seeds, (RESAMPLES, seeds))
    again = found[:, draws].mean(axis=2).argmin(axis=0)
    results = jax.device_get(run(grid, judged))
    others = {int(i): {key: values[i] for key, values in results.items()}
              for i in {best, *again.tolist()}}  # fmt: skip
    return Tuned(found, best, centre, others[best], edges(name, grid, best), again, others)


def trials(name: str, centre: np.ndarray, octave: float) -> np.ndarray:
    """81 trials `[trial, 2]`: of the rate alone, or 9 x 9 of rate and 1 - rho."""
    if name == "momentum":
        return window(centre[None, None], octave)[0, 0]
    rates = centre[0] + octave * np.linspace(-4, 4, 81)
    return np.stack([rates, np.zeros(81)], axis=1)


def edges(name: str, grid: np.ndarray, best: int) -> tuple[str, ...]:
    """Ends of the window where the best trial lies; rho = 0 is no end but plain descent."""
    if name != "momentum":
        return ("rate",) * (best in (0, 80))
    rate, memory = divmod(best, 9)
    at_end = memory == 0 or (memory == 8 and grid[best, 1] < 0)
    return ("rate",) * (rate in (0, 8)) + ("rho",) * at_end


@jax.jit
def zigzags(grid: jax.Array, keys: jax.Array, kappa: float, limit: int) -> dict[str, jax.Array]:
    """Log10 steps, log10 index and the largest step across, `[trial, seed]`."""
    curvatures = jnp.stack([jnp.ones(()), jnp.asarray(kappa, float)])

    def one(log2: jax.Array, key: jax.Array) -> dict[str, jax.Array]:
        rule = optimizers.momentum(2 ** log2[0], decay=1 - 2 ** log2[1])
        angle = jax.random.uniform(key, maxval=2 * jnp.pi)
        start = jnp.stack([jnp.cos(angle), jnp.sin(angle)])
        first = jnp.linalg.norm(curvatures * start)

        def unfinished(carry: tuple) -> jax.Array:
            x, _, _, _, small, steps = carry
            return (small < 2) & (steps < limit) & (jnp.linalg.norm(x) < 1e9)

        def body(carry: tuple) -> tuple:
            x, state, length, across, small, steps = carry
            update, state = rule.update(curvatures * x, state)
            x = x + update
            met = jnp.linalg.norm(curvatures * x) < TOLERANCE * first
            length, across = length + jnp.linalg.norm(update), jnp.maximum(across, abs(update[1]))
            return x, state, length, across, jnp.where(met, small + 1, 0), steps + 1

        carry = (start, rule.init(start), jnp.zeros(()), jnp.zeros(()), 0, 0)
        end, _, length, across, small, steps = jax.lax.while_loop(unfinished, body, carry)
        log10 = jnp.log10(jnp.where(small == 2, steps - 1, limit))
        index = jnp.log10(length / jnp.linalg.norm(end - start))
        return {"tuned": log10, "index": index, "steps": log10, "across": across / abs(start[1])}

    return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(grid, keys)


@functools.partial(jax.jit, static_argnames="steps")
def noisy_losses(
    grid: jax.Array, keys: jax.Array, kappa: float, noise: float, *, steps: int
) -> dict[str, jax.Array]:
    """Log10 of the mean loss of the last tenth, `[trial, seed]`."""
    curvatures = jnp.stack([jnp.ones(()), jnp.asarray(kappa, float)])
    clean = surfaces.quadratic(curvatures, angle=math.pi / 6)
    noisy = surfaces.with_gradient_noise(clean, noise**2)

    def one(log2: jax.Array, key: jax.Array) -> dict[str, jax.Array]:
        rule = optimizers.momentum(2 ** log2[0], decay=1 - 2 ** log2[1])
        loss = final_loss(rule, noisy, clean, clean.start, key, steps=steps, tail=steps // 10)
        log10 = jnp.log10(jnp.maximum(loss, LEAST))
        return {"tuned": log10, "loss": log10}

    return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(grid, keys)
