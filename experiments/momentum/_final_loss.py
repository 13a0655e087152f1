"""Where a noisy run ends, without keeping its path: for sweeps over many runs."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.engine import Arm, tune

DIVERGED = 1e6


def final_loss(
    tx: optax.GradientTransformation,
    noisy: Callable[[jax.Array, jax.Array], jax.Array],
    clean: Callable[[jax.Array], jax.Array],
    start: jax.Array,
    key: jax.Array,
    *,
    steps: int,
    tail: int,
) -> jax.Array:
    """Mean clean loss at the last `tail` points, 1e6 for a run that diverged.

    Step t gets `fold_in(key, t)`, as in `surfaces.trajectory`.
    """

    def advance(carry: tuple, step: jax.Array) -> tuple[tuple, None]:
        x, state, total = carry
        gradient = jax.grad(noisy, argnums=1)(jax.random.fold_in(key, step), x)
        updates, state = tx.update(gradient, state, x)
        x = optax.apply_updates(x, updates)
        total = jax.lax.cond(step < steps - tail, lambda: total, lambda: total + clean(x))
        return (x, state, total), None

    first = (start, tx.init(start), jnp.zeros(()))
    (_, _, total), _ = jax.lax.scan(advance, first, jnp.arange(steps))
    loss = total / tail
    return jnp.where(jnp.isfinite(loss), jnp.minimum(loss, DIVERGED), DIVERGED)


def at_best_rates(
    key: jax.Array,
    rule: Callable[[jax.Array, jax.Array], optax.GradientTransformation],
    memories: Sequence[float],
    rates: np.ndarray,
    noisy: Callable[[jax.Array, jax.Array], jax.Array],
    clean: Callable[[jax.Array], jax.Array],
    start: jax.Array,
    *,
    steps: int,
    tail: int,
    tuning_seeds: int,
    seeds: int,
) -> dict[str, np.ndarray]:
    """Tunes the rate of `rule(rate, memory)` for every memory, by `final_loss`.

    Gives the mean losses of the "tuning" `[memory, rate]`, the "best rate" `[memory]` and, there,
    the "loss" `[memory, seed]` on fresh seeds.
    """

    @jax.jit
    def loss(key: jax.Array, trial: tuple[jax.Array, jax.Array]) -> jax.Array:
        return final_loss(rule(*trial), noisy, clean, start, key, steps=steps, tail=tail)

    arms = {memory: Arm(loss, (rates, np.full_like(rates, memory))) for memory in memories}
    tuned = tune(key, arms, tuning_seeds=tuning_seeds, seeds=seeds).values()
    return {
        "tuning": np.array([arm.tuning.mean(axis=1) for arm in tuned]),
        "best rate": np.array([rates[arm.best] for arm in tuned]),
        "loss": np.array([arm.tested for arm in tuned]),
    }
