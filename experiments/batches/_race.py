"""How many epochs a batch size needs to a loss, its rate tuned; and what an epoch takes."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.networks import Examples
from jaxtricks import data, models, optimizers, training

CHECKS, SAMPLE = 8, 1024  # looks per epoch at most; training examples looked at
MODEL = models.MLP((64, 10))
LOSS = training.classification_loss(MODEL)
RULE = optimizers.gradient_descent(1.0)  # the state's scale is the rate: one program for all rates
OURS = training.trainer(LOSS, RULE, rng_streams=(), diagnostics=False)


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


class Tuned(NamedTuple):
    """What `tune_and_race` found.

    Attributes:
        rate: with the least total of epochs over the tuning keys.
        totals: these of each rate, in the grid's order; inf if given up.
        epochs: that the rate needs with each of the fresh keys.
        losses: of those runs, at each look.
    """

    rate: float
    totals: list[float]
    epochs: list[float]
    losses: list[list[float]]


def tune_and_race(
    racer: Racer,
    *,
    rates: Sequence[float],
    near: float,
    tuning_keys: Sequence[jax.Array],
    keys: Sequence[jax.Array],
    target: float,
    limit: int,
) -> Tuned:
    """Chooses the rate with some keys and runs it with others.

    All rates are tried, the one nearest to `near` first. A trial that can no longer win is given
    up, which changes no winner.

    Raises:
        ValueError: no rate reaches the target with every tuning key, or the best one fails later.
    """
    totals = dict.fromkeys(rates, math.inf)
    for rate in sorted(rates, key=lambda rate: abs(math.log(rate / near))):
        best, total = min(totals.values()), 0.0
        for key in tuning_keys:
            total += racer.race(key, rate, target, min(limit, best - total))[0]
            if total >= best:
                break
        totals[rate] = total if total < best else math.inf
    rate = min(totals, key=lambda rate: totals[rate])
    runs = [racer.race(key, rate, target, limit) for key in keys]
    if not np.isfinite([totals[rate], *(epochs for epochs, _ in runs)]).all():
        raise ValueError(f"rate {rate} of {totals} misses {target} in {limit} epochs.")
    return Tuned(rate, list(totals.values()), [e for e, _ in runs], [x for _, x in runs])


def epoch_seconds(racer: Racer, rate: float, repeats: int) -> float:
    """The shortest of some runs of one epoch, in seconds, compilation apart."""
    key = jax.random.key(0)
    state = jax.block_until_ready(racer.start(key, rate))
    seconds = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        jax.block_until_ready(racer.epoch(state, key))
        seconds.append(time.perf_counter() - begin)
    return float(np.min(seconds[1:]))
