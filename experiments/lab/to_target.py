"""How many epochs gradient descent in batches of one size needs to a loss."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from experiments.lab.images import Examples
from experiments.lab.train import trainer
from jaxtricks import data, models, optimizers, training

CHECKS, SAMPLE = 8, 1024  # looks per epoch at most; training examples looked at
MODEL = models.MLP((64, 10))
LOSS = training.classification_loss(MODEL)
RULE = optimizers.gradient_descent(1.0)  # the state's scale is the rate: one program for all rates
OURS = trainer(MODEL, RULE)


class Racer(NamedTuple):
    """One batch size on one set of examples.

    Attributes:
        examples: to train with, on the device.
        batch: examples of an update.
        checks: looks per epoch.
        advance: `(state, examples, indices, key) -> state`, an update per row of `indices`.
    """

    examples: Examples
    batch: int
    checks: int
    advance: Callable[..., training.TrainState]

    def start(self, key: jax.Array, rate: float) -> training.TrainState:
        """The state before the first update."""
        return start(key, rate, self.examples["image"].shape[1:])

    def parts(self, key: jax.Array, epoch: int) -> jax.Array:
        """The indices of an epoch `[look, update, example]`."""
        rows = order(key, epoch, len(self.examples["label"]), self.batch)
        return rows.reshape(self.checks, -1, self.batch)

    def race(
        self, key: jax.Array, rate: float, target: float, limit: float, *, looks: int = 1
    ) -> tuple[float, list[float]]:
        """Epochs until the loss of the first 1,024 examples is `target`, and the loss at each look.

        It must be so at `looks` looks one after another, the first of which counts. The epochs are
        inf if that look would be over `limit`.
        """
        state = self.start(key, rate)
        sample = {name: values[:SAMPLE] for name, values in self.examples.items()}
        losses, parts = [float(look(state, sample))], self.parts(key, 0)
        while not max(losses[-looks:]) <= target or len(losses) < looks:
            done, there = len(losses) - 1, losses[-1] <= target
            if done >= limit * self.checks + there * (looks - 1) or not math.isfinite(losses[-1]):
                return math.inf, losses
            epoch, part = divmod(done, self.checks)
            if part == 0 and epoch > 0:
                parts = self.parts(key, epoch)
            state = self.advance(state, self.examples, parts[part], key)
            losses.append(float(look(state, sample)))
        return (len(losses) - looks) / self.checks, losses

    def epoch(self, state: training.TrainState, key: jax.Array) -> training.TrainState:
        """The first epoch."""
        for rows in self.parts(key, 0):
            state = self.advance(state, self.examples, rows, key)
        return state


def racer(examples: Examples, batch: int, *, accumulate: int = 1) -> Racer:
    """Gradient descent on a 64-unit ReLU net in reshuffled batches, whole ones only."""
    ours = training.trainer(LOSS, RULE, accumulate=accumulate, rng_streams=(), diagnostics=False)

    def advance(
        state: training.TrainState, examples: Examples, indices: jax.Array, key: jax.Array
    ) -> training.TrainState:
        rows = data.Order(indices, jnp.ones(indices.shape))
        return training.train_epoch(ours, state, examples, rows, key=key)[0]

    checks = math.gcd(len(examples["label"]) // batch, CHECKS)
    return Racer(jax.device_put(examples), batch, checks, jax.jit(advance))


@functools.partial(jax.jit, static_argnums=2)
def start(key: jax.Array, rate: jax.Array, shape: tuple[int, ...]) -> training.TrainState:
    """The state before the first update, for images of this shape."""
    state = OURS.init(MODEL.init(key, jnp.zeros((1, *shape)), train=False))
    return dataclasses.replace(state, learning_rate_scale=jnp.asarray(rate, jnp.float32))


@functools.partial(jax.jit, static_argnums=(2, 3))
def order(key: jax.Array, epoch: jax.Array, size: int, batch: int) -> jax.Array:
    """The indices of an epoch's updates."""
    return data.epoch_order(jax.random.fold_in(key, epoch), size, batch).indices


@jax.jit
def look(state: training.TrainState, sample: Examples) -> jax.Array:
    """The mean loss."""
    sums = OURS.evaluate(OURS.variables(state), sample)
    return sums["loss"] / sums["weight"]
