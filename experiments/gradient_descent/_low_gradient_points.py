"""Points of a small network's loss at which the gradient is small, and their Hessians."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from jaxtricks import models, optimizers

RATE, CLASSES = 0.02, 10
Loss = Callable[[jax.Array], jax.Array]


def training_loss(
    key: jax.Array, inputs: jax.Array, labels: jax.Array, hidden: int
) -> tuple[Loss, jax.Array]:
    """Mean cross-entropy of a tanh net as a function of one vector, and its first one.

    Inlined, it is no other program, but all that is made of it below traces the net once.
    """
    model = models.MLP((hidden, CLASSES), activation=nn.tanh)
    start, restore = ravel_pytree(model.init(key, inputs, train=False))

    def loss(theta: jax.Array) -> jax.Array:
        logits = model.apply(restore(theta), inputs, train=False)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))

    return jax.jit(loss, inline=True), start


def descend(loss: Loss, start: jax.Array, steps: int) -> jax.Array:
    """The path of Adam on all examples at once, `[steps + 1, size]`, its rate falling to 0."""
    tx = optimizers.adam(optax.cosine_decay_schedule(RATE, steps))

    def step(carry: tuple, _: None) -> tuple[tuple, jax.Array]:
        theta, state = carry
        updates, state = tx.update(jax.grad(loss)(theta), state, theta)
        theta = optax.apply_updates(theta, updates)
        return (theta, state), theta

    _, path = jax.lax.scan(step, (start, tx.init(start)), None, steps)
    return jnp.concatenate([start[None], path])


def find_critical(loss: Loss, start: jax.Array, steps: int) -> jax.Array:
    """Descends the gradient's norm, whatever the index of the critical point that is near.

    Levenberg and Marquardt's step -(H^2 + mu I)^-1 H g on |g|^2 / 2: a step that makes the norm
    smaller is taken and divides mu by 3, another is not and multiplies it by 4.
    """

    def step(carry: tuple, _: None) -> tuple[tuple, None]:
        theta, gradient, damping = carry
        hessian = jax.hessian(loss)(theta)
        damped = hessian @ hessian + damping * jnp.eye(len(theta))
        factor = jax.scipy.linalg.cho_factor(damped)
        proposed = theta - jax.scipy.linalg.cho_solve(factor, hessian @ gradient)
        new = jax.grad(loss)(proposed)
        better = jnp.linalg.norm(new) < jnp.linalg.norm(gradient)  # not if the factor is NaN
        theta = jnp.where(better, proposed, theta)
        gradient = jnp.where(better, new, gradient)
        return (theta, gradient, jnp.where(better, damping / 3, damping * 4)), None

    carry = (start, jax.grad(loss)(start), jnp.array(1e-2))
    return jax.lax.scan(step, carry, None, steps)[0][0]


def low_gradient_points(
    key: jax.Array,
    inputs: jax.Array,
    labels: jax.Array,
    *,
    hidden: int,
    descent_steps: int,
    starts: tuple[int, ...],
    newton_steps: int,
) -> dict[str, Any]:
    """Loss, gradient's norm and Hessian where descent ends, and of critical points.

    The critical points are sought from the descent's path after `starts` steps. First axis: the
    descent's end, then one for each start. `slope` is relative to the norm at the beginning.
    """
    loss, start = training_loss(key, inputs, labels, hidden)
    path = descend(loss, start, descent_steps)
    found = jax.lax.map(
        lambda theta: find_critical(loss, theta, newton_steps), path[jnp.array(starts)]
    )
    points = jnp.concatenate([path[-1:], found])
    slopes = jnp.linalg.norm(jax.vmap(jax.grad(loss))(points), axis=1)
    return {
        "loss": jax.vmap(loss)(points),
        "slope": slopes / jnp.linalg.norm(jax.grad(loss)(start)),
        "hessian": jax.lax.map(jax.hessian(loss), points),
    }
