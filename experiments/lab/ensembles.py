"""Ensembles of small networks: what members score, how they are averaged and how it is judged."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from experiments.engine import Estimate, mean
from experiments.lab.images import Examples
from jaxtricks.averaging import ensemble_predictions

BATCH = 32
FLOORS = {"mnist": 7.0, "digits": 5.0}  # errors in percent that a net must get under


def logits(model: nn.Module, params: Any, examples: Examples) -> jax.Array:
    """The model's answers to all images of a set at once."""
    images = jnp.asarray(examples["image"], jnp.float32) / 255
    return model.apply({"params": params}, images, train=False)


def error(scores: jax.Array, labels: jax.Array) -> jax.Array:
    """Share of the examples, in percent, whose label does not score highest."""
    highest = jnp.argmax(scores, axis=-1)
    return 100 * jnp.mean(highest != jnp.broadcast_to(labels, highest.shape), axis=-1)


def cross_entropy(scores: jax.Array, labels: jax.Array) -> jax.Array:
    """Mean over the examples, in nats, of scores `[..., examples, classes]`."""
    chosen = jax.nn.log_softmax(scores)[..., jnp.arange(len(labels)), labels]
    return -jnp.mean(chosen, axis=-1)


def ensemble_errors(scores: jax.Array, labels: jax.Array, members: np.ndarray) -> jax.Array:
    """Errors of ensembles; a row of `members` has 1 for each model in it, `scores` one a model."""

    def one(weights: jax.Array) -> jax.Array:
        return error(ensemble_predictions(scores, weights=weights), labels)

    return jax.lax.map(one, jnp.asarray(members, jnp.float32))


def last_of(chosen: np.ndarray, counts: tuple[int, ...]) -> np.ndarray:
    """A row for each count: 1 at the last so many of the epochs that are `chosen`, else 0."""
    after = np.cumsum(chosen[::-1])[::-1]
    return np.array([(chosen & (after <= count)) for count in counts], np.float32)


def estimate(values: np.ndarray, choice: float) -> Estimate | np.ndarray:
    """With the variance of the choice; equal values as they are, since they are no evidence."""
    return mean(values, choice_variance=choice) if np.ptp(values) > 1e-9 else values
