"""Zig-zag and noise of gradient descent and momentum on valleys, each at its own best settings."""

import functools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from experiments.engine import Tuned, choose
from experiments.momentum._final_loss import final_loss
from experiments.momentum._tuned_steps import window
from jaxtricks import optimizers, surfaces

NAMES = ("gradient descent", "momentum")
# From trial to trial, of the windows: the zig-zag depends on the last thousandth of the rate.
OCTAVES = {
    "index": (1.0, 0.25, 0.25, 0.0625, 0.0625, 0.0156, 0.0156, 0.0039, 0.0039, 0.001),
    "loss": (1.0, 0.25, 0.25, 0.25, 0.25, 0.25, 0.125, 0.125, 0.125, 0.125),
}
LEAST = 1e-12


def tune(
    octaves: Sequence[float], run: Callable, tuning: jax.Array, judged: jax.Array, kappa: float
) -> list[Tuned]:
    """Windows that close in on the least mean of "tuned", for both rules at a time.

    The last one is repeated about the best until both rules have theirs inside, 20 times at most;
    its choice is resampled. `run(grid, keys)` gives arrays `[trial, key]`.
    """
    first = np.array([-1 - math.log2(kappa), -4.0])  # log2 of the rate and of 1 - rho
    centres = dict.fromkeys(NAMES, first)
    for count, octave in enumerate([*octaves, *[octaves[-1]] * 20], start=1):
        grids = {name: trials(name, centres[name], octave) for name in NAMES}
        found = {name: np.asarray(run(grids[name], tuning)["tuned"]) for name in NAMES}
        best = {name: int(np.argmin(found[name].mean(axis=1))) for name in NAMES}
        centres = {name: grids[name][best[name]] for name in NAMES}
        ends = {name: edges(name, grids[name], best[name]) for name in NAMES}
        if count >= len(octaves) and not any(ends.values()):
            break
    tested = {name: jax.device_get(run(grids[name], judged)) for name in NAMES}
    return [
        choose(
            found[name],
            grids[name],
            lambda i, results=tested[name]: {key: values[i] for key, values in results.items()},
        )._replace(at_edge=ends[name])
        for name in NAMES
    ]


def in_theory(kappa: float) -> dict[str, np.ndarray]:
    """The settings with the least factor per step, as 81 equal trials: 2 / (h1 + h2), and Polyak's.

    Reference:
        Polyak (1964), Some methods of speeding up the convergence of iteration methods.
    """
    root = math.sqrt(kappa)
    rates = {NAMES[0]: 2 / (1 + kappa), NAMES[1]: 4 / (1 + root) ** 2}
    decays = {NAMES[0]: 0.0, NAMES[1]: ((root - 1) / (root + 1)) ** 2}
    return {name: np.tile(np.log2([rates[name], 1 - decays[name]]), (81, 1)) for name in NAMES}


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
    at_end = bool(memory == 0 or (memory == 8 and grid[best, 1] < 0))
    return ("rate",) * (rate in (0, 8)) + ("rho",) * at_end


@jax.jit
def zigzags(
    grid: jax.Array, keys: jax.Array, kappa: float, limit: int, tolerance: float
) -> dict[str, jax.Array]:
    """Log10 steps, log10 index and the largest step across, `[trial, seed]`.

    A run ends, as in `does_it_zigzag_in_a_valley`, where the gradient is under the tolerance.
    """
    curvatures = jnp.stack([jnp.ones(()), jnp.asarray(kappa, float)])

    def one(log2: jax.Array, key: jax.Array) -> dict[str, jax.Array]:
        rule = optimizers.momentum(2 ** log2[0], decay=1 - 2 ** log2[1])
        angle = jax.random.uniform(key, maxval=2 * jnp.pi)
        start = jnp.stack([jnp.cos(angle), jnp.sin(angle)])

        def unfinished(carry: tuple) -> jax.Array:
            x, _, _, _, small, steps = carry
            return (small < 2) & (steps < limit) & (jnp.linalg.norm(x) < 1e9)

        def body(carry: tuple) -> tuple:
            x, state, length, across, small, steps = carry
            update, state = rule.update(curvatures * x, state)
            x = x + update
            met = jnp.linalg.norm(curvatures * x) < tolerance
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
