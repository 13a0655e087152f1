"""Steps of momentum and of Nesterov's rule on small problems, each at its own best settings."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.momentum._problems import Kind
from jaxtricks import optimizers

ARMS = ("momentum", "nesterov")
OCTAVES = (1.0, 0.25, 0.125, 0.125)  # from trial to trial, of each window of 9 x 9
TOLERANCE, SHORT = 1e-6, 1e-5


class Run(NamedTuple):
    """`end`: the weights; `steps` until they arrived; `farthest`: passed, as a share of the way."""

    end: jax.Array
    steps: jax.Array
    farthest: jax.Array


def first_state(x: jax.Array) -> Any:
    return optimizers.momentum(0.0, lr_inside=True).init(x)


def advance(
    gradient: Callable, x: jax.Array, state: Any, settings: jax.Array, ahead: float | jax.Array
) -> tuple[jax.Array, Any]:
    """One step, with the gradient at x + rho v if `ahead` is 1, at x if it is 0."""
    rate, decay = settings
    velocity = optax.tree.get(state, "velocity")
    at = optimizers.lookahead_point(x, ahead * velocity, decay)
    step, state = optimizers.momentum(rate, decay=decay, lr_inside=True).update(gradient(at), state)
    return x + step, state


def descend(
    gradient: Callable,
    settings: jax.Array,
    ahead: jax.Array,
    max_steps: int,
    start: jax.Array,
    end: jax.Array,
) -> Run:
    """Until the gradient of the weights is small twice in a row; passes of `end` are measured."""
    way = jnp.linalg.norm(end - start)
    first = jnp.linalg.norm(gradient(start))

    def unfinished(carry: tuple) -> jax.Array:
        _, _, small, steps, size, _ = carry
        return (small < 2) & (steps < max_steps) & (size < 1e9 * first)

    def body(carry: tuple) -> tuple:
        x, state, small, steps, _, farthest = carry
        x, state = advance(gradient, x, state, settings, ahead)
        size = jnp.linalg.norm(gradient(x))
        small = jnp.where(size < TOLERANCE * first, small + 1, 0)
        passed = jnp.dot(x - end, end - start) / way**2
        return x, state, small, steps + 1, size, jnp.maximum(farthest, passed)

    carry = (start, first_state(start), 0, 0, first, jnp.zeros(()))
    x, _, small, steps, _, farthest = jax.lax.while_loop(unfinished, body, carry)
    return Run(x, jnp.where(small == 2, steps - 1, max_steps), farthest)


def on_kind(kind: Kind, key: jax.Array, *, starts: int, max_steps: int) -> dict[str, np.ndarray]:
    """Tunes both rules on each problem of a kind, and runs them from the judged starts."""
    data, tuning, judged, hessian = prepare(kind, key, starts)
    costs, tests = functions(kind, max_steps)
    largest = np.abs(np.linalg.eigvalsh(hessian)).max(axis=1)
    first = np.stack([-1 - np.log2(largest), np.full(len(largest), -4.0)], axis=1)
    centre = np.repeat(first[:, None], len(ARMS), axis=1)
    best = np.zeros(centre.shape[:2], int)
    for octave in OCTAVES:
        grid = window(centre, octave)
        best = np.argmin(np.asarray(costs(data, tuning, grid)), axis=-1)
        centre = np.take_along_axis(grid, best[..., None, None], axis=2)[:, :, 0]
    both, same, error = jax.device_get(tests(data, judged, centre))
    tuned = jax.device_get(tests(data, tuning, centre)[0])
    on_edge = np.isin(best // 9, (0, 8)) | np.isin(best % 9, (0, 8)) | (centre[..., 1] >= 0)
    return {
        "steps": np.minimum(both.steps, max_steps),
        "overshoot": both.farthest,
        "same settings": np.minimum(same.steps, max_steps),
        "doubled": tuned.steps[:, 0],
        "edge": on_edge,
        "shared starts": np.asarray(np.isin(tuning, judged).any(axis=(1, 2))),
        "error": error,
    }


@functools.partial(jax.jit, static_argnames=("kind", "starts"))
def prepare(kind: Kind, key: jax.Array, starts: int) -> tuple[Any, jax.Array, jax.Array, jax.Array]:
    """The problems, their starts `[problem, start, dimension]`, and the first start's Hessian."""
    sizes, keys = jnp.array(kind.sizes), jax.random.split(key, 3)
    data = jax.vmap(kind.data)(jax.random.split(keys[0], len(sizes)), sizes)
    over_starts = jax.vmap(jax.vmap(kind.start, (None, 0)))
    tuning, judged = (
        over_starts(data, jax.random.split(k, (len(sizes), starts))) for k in keys[1:]
    )
    return data, tuning, judged, jax.vmap(jax.hessian(kind.loss, argnums=1))(data, tuning[:, 0])


def window(centre: np.ndarray, octave: float) -> np.ndarray:
    """81 trials about each centre, `[problem, rule, trial, 2]`; rho is never under 0."""
    offsets = octave * np.stack(np.meshgrid(*[np.arange(-4, 5)] * 2, indexing="ij"), axis=-1)
    grid = centre[:, :, None] + offsets.reshape(-1, 2)
    return np.minimum(grid, [np.inf, 0.0])


def functions(kind: Kind, max_steps: int) -> tuple[Callable, Callable]:
    """Mean log10 steps of trials, and runs of twice as many steps: compiled once a kind."""
    ahead = jnp.array([0.0, 1.0])

    def runs(
        data: Any, starts: jax.Array, log2: jax.Array, ahead: jax.Array, ends: jax.Array, limit: int
    ) -> Run:
        settings = jnp.stack([2 ** log2[0], 1 - 2 ** log2[1]])
        gradient = functools.partial(jax.grad(kind.loss, argnums=1), data)
        one = functools.partial(descend, gradient, settings, ahead, limit)
        return jax.vmap(one)(starts, ends)

    def costs(data: Any, starts: jax.Array, grid: jax.Array) -> jax.Array:
        def cost(log2: jax.Array, ahead: jax.Array) -> jax.Array:
            steps = runs(data, starts, log2, ahead, 0 * starts, max_steps).steps
            return jnp.mean(jnp.log10(steps))

        return jax.vmap(jax.vmap(cost, (0, None)))(grid, ahead)

    def tests(data: Any, starts: jax.Array, best: jax.Array) -> tuple[Run, Run, jax.Array]:
        def own(log2: jax.Array, ahead: jax.Array) -> Run:
            ends = runs(data, starts, log2, ahead, 0 * starts, 2 * max_steps).end
            return runs(data, starts, log2, ahead, ends, 2 * max_steps)

        def same_settings(ahead: jax.Array) -> Run:
            return runs(data, starts, best[1], ahead, 0 * starts, 2 * max_steps)

        same = jax.vmap(same_settings)(ahead)
        return jax.vmap(own)(best, ahead), same, second_order(kind, data, starts[0], best[1])

    return jax.jit(jax.vmap(costs)), jax.jit(jax.vmap(tests))


def second_order(kind: Kind, data: Any, start: jax.Array, log2: jax.Array) -> jax.Array:
    """How far Nesterov's step less momentum's is from -alpha rho H v, relative to that.

    Both from the fifth point of Nesterov's path, with its velocity made short.
    """
    settings = jnp.stack([2 ** log2[0], 1 - 2 ** log2[1]])
    gradient = functools.partial(jax.grad(kind.loss, argnums=1), data)
    x, state = start, first_state(start)
    for _ in range(5):
        x, state = advance(gradient, x, state, settings, 1.0)
    velocity = optax.tree.get(state, "velocity")
    velocity = SHORT * velocity / jnp.linalg.norm(velocity)
    state = optax.tree.set(state, velocity=velocity)
    ahead, plain = (advance(gradient, x, state, settings, a)[0] for a in (1.0, 0.0))
    law = -settings[0] * settings[1] * jax.jvp(gradient, (x,), (velocity,))[1]
    return jnp.linalg.norm(ahead - plain - law) / jnp.linalg.norm(law)
