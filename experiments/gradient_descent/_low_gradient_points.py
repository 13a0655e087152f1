"""Critical points of a small network's loss, whatever their index."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from jaxtricks import models, optimizers

RATE, CLASSES = 0.02, 10
DAMPING, FLATTEST, LONGEST = 1e-2, 1e-3, 0.3
Loss = Callable[[jax.Array], jax.Array]
Slopes = Callable[[np.ndarray], tuple[Any, Any]]


def training_loss(
    inputs: jax.Array, labels: jax.Array, hidden: int, weight_decay: float
) -> tuple[Loss, Callable[[jax.Array], jax.Array]]:
    """Mean cross-entropy of a tanh net and its weight decay, of one vector; and `key -> vector`."""
    model = models.MLP((hidden, CLASSES), activation=nn.tanh)
    _, restore = ravel_pytree(model.init(jax.random.key(0), inputs, train=False))

    def loss(theta: jax.Array) -> jax.Array:
        logits = model.apply(restore(theta), inputs, train=False)
        entropy = jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))
        return entropy + 0.5 * weight_decay * jnp.sum(theta**2)

    return loss, lambda key: ravel_pytree(model.init(key, inputs, train=False))[0]


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


def slopes_of(loss: Loss) -> Slopes:
    """`theta -> (gradient, Hessian)`, compiled."""
    return jax.jit(lambda theta: (jax.grad(loss)(theta), jax.hessian(loss)(theta)))


def find_critical(
    slopes: Slopes, start: np.ndarray, *, tolerance: float, rounds: int, steps: int
) -> tuple[np.ndarray, bool]:
    """Newton's method from a point, and whether it got the gradient's norm under `tolerance`.

    In turns: steps that make the gradient's norm smaller, which may end where it is least but not
    0; and steps that keep the number of downward directions, which may leave such places.
    """
    theta = np.asarray(start)
    for _ in range(rounds):
        for method in (shrink_gradient, keep_index):
            theta, found = method(slopes, theta, tolerance, steps)
            if found:
                return theta, True
    return theta, False


def shrink_gradient(
    slopes: Slopes, theta: np.ndarray, tolerance: float, steps: int
) -> tuple[np.ndarray, bool]:
    """Levenberg and Marquardt's steps -(H^2 + mu I)^-1 H g on |g|^2 / 2.

    A step that makes the norm smaller is taken and divides mu by 3; another multiplies it by 4.
    """
    damping, (gradient, hessian) = DAMPING, map(np.asarray, slopes(theta))
    curvatures, axes = np.linalg.eigh(hessian)
    for _ in range(steps):
        if np.linalg.norm(gradient) < tolerance:
            break
        shares = curvatures / (curvatures**2 + damping)
        proposed = theta - axes @ (shares * (axes.T @ gradient))
        new, hessian = map(np.asarray, slopes(proposed))
        if np.linalg.norm(new) < np.linalg.norm(gradient):
            theta, gradient, damping = proposed, new, damping / 3
            curvatures, axes = np.linalg.eigh(hessian)
        else:
            damping *= 4
    return theta, bool(np.linalg.norm(gradient) < tolerance)


def keep_index(
    slopes: Slopes, theta: np.ndarray, tolerance: float, steps: int
) -> tuple[np.ndarray, bool]:
    """Newton's steps of limited length, up as many directions as first curve down, down the others.

    Near a critical point of that index they are Newton's own.
    """
    index = None
    for _ in range(steps):
        gradient, hessian = map(np.asarray, slopes(theta))
        if np.linalg.norm(gradient) < tolerance:
            return theta, True
        curvatures, axes = np.linalg.eigh(hessian)
        index = np.sum(curvatures < 0) if index is None else index
        signs = np.where(np.arange(len(theta)) < index, 1.0, -1.0)
        scale = np.maximum(np.abs(curvatures), FLATTEST)
        step = axes @ (signs * (axes.T @ gradient) / scale)
        theta = theta + step * min(1.0, LONGEST / np.linalg.norm(step))
    return theta, False
