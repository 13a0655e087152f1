"""Where a noisy run ends, without keeping its path: for sweeps over many runs."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

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
