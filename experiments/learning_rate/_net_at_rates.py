"""A small net on digits trained at many rates: when it arrives, whether it is flat, where the
limit of stability lies at its start."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.lab import small_mlp as mlp
from jaxtricks import optimizers

SIZES = (64, 64, 10)
EPOCH, WINDOW = 40, 41  # batches
TARGET = 0.5  # nats
FLAT = 0.05  # most that the loss of a flat run changes over the second half of its updates
FACTORS = (1e1, 1e2, 1e3, 1e4)  # of the higher and lower rates that are tried
WORST = 1e3  # stands for any larger loss and for NaN


@functools.partial(jax.jit, static_argnames="steps")
def losses_at(
    fit: mlp.Examples, keys: jax.Array, rates: jax.Array, *, steps: int
) -> dict[str, jax.Array]:
    """One run for each key and rate: its losses `[run, step]`."""

    def one(key: jax.Array, rate: jax.Array) -> jax.Array:
        tx = optimizers.gradient_descent(rate)
        losses = mlp.train(tx, key, fit, steps, sizes=SIZES).losses
        return jnp.where(losses < WORST, losses, WORST)

    return jax.vmap(one)(keys, rates)


def arrivals(losses: np.ndarray) -> np.ndarray:
    """Steps until the mean over 41 batches is under 0.5 at two successive steps; -1 if never.

    They are counted to the middle of the 41.
    """
    means = np.apply_along_axis(np.convolve, 1, losses, np.full(WINDOW, 1 / WINDOW), "valid")
    met = (means[:, :-1] < TARGET) & (means[:, 1:] < TARGET)
    return np.where(met.any(axis=1), met.argmax(axis=1) + WINDOW // 2 + 1, -1)


def trained(losses: np.ndarray) -> np.ndarray:
    """Whether the last epoch's mean loss is under half the first loss."""
    return losses[:, -EPOCH:].mean(axis=1) < losses[:, 0] / 2


def flat(losses: np.ndarray) -> np.ndarray:
    """Whether the last epoch's mean loss is that of the epoch halfway, and the net not trained."""
    half = losses.shape[1] // 2
    last, middle = losses[:, -EPOCH:].mean(axis=1), losses[:, half - EPOCH : half].mean(axis=1)
    return (np.abs(last / middle - 1) < FLAT) & ~trained(losses)


def cured(
    fit: mlp.Examples, keys: jax.Array, rates: jax.Array, *, steps: int, higher: bool
) -> np.ndarray:
    """Whether ten, a hundred, ... times the rate, or such a part of it, trains the net."""
    found = np.zeros(len(keys), bool)
    for factor in FACTORS:
        others = jnp.asarray(rates) * (factor if higher else 1 / factor)
        found |= trained(np.asarray(losses_at(fit, keys, others, steps=steps)))
    return found


@jax.jit
def limits(fit: mlp.Examples, keys: jax.Array) -> jax.Array:
    """2 over the loss's largest curvature at each key's start, by 20 power iterations."""

    def one(key: jax.Array) -> jax.Array:
        init_key, vector_key = jax.random.split(key)
        start = mlp.init(init_key, SIZES)  # as in `mlp.train`
        gradient = jax.grad(lambda params: mlp.loss(params, fit))

        def step(vector: Any, _: None) -> tuple[Any, jax.Array]:
            image = jax.jvp(gradient, (start,), (vector,))[1]
            size = jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(image)))
            return jax.tree.map(lambda leaf: leaf / size, image), size

        leaves, tree = jax.tree.flatten(start)
        parts = jax.random.split(vector_key, len(leaves))
        random = [
            jax.random.normal(part, leaf.shape) for part, leaf in zip(parts, leaves, strict=True)
        ]
        return 2 / jax.lax.scan(step, jax.tree.unflatten(tree, random), length=20)[1][-1]

    return jax.lax.map(one, keys)
