"""How many epochs a batch size needs to a loss, its rate tuned; and what an epoch takes."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.learning_rate._networks import Examples
from jaxtricks import data, models, optimizers, training

CHECKS, SAMPLE = 8, 1024  # looks per epoch at most; training examples looked at
MODEL = models.MLP((64, 10))
LOSS = training.classification_loss(MODEL)
RULE = optimizers.gradient_descent(1.0)  # the state's scale is the rate: one program for all rates


class Racer(NamedTuple):
    """Compiled functions of one batch size.

    Attributes:
        race: `(key, rate, target, limit) -> (epochs, losses)`: epochs until the loss of the first
            1,024 training examples is at most `target`, inf if not within `limit`; and the loss at
            the start and after every 1 / `checks` of an epoch, NaN after the end.
        epoch: `(state, key) -> state`, one epoch and nothing else.
        start: `(key, rate) -> state`.
        checks: looks per epoch.
    """

    race: Callable[..., tuple[Any, Any]]
    epoch: Callable[..., Any]
    start: Callable[..., Any]
    checks: int


@functools.partial(jax.jit, static_argnums=2)
def start(key: jax.Array, rate: jax.Array, shape: tuple[int, ...]) -> training.TrainState:
    """The state before the first update, for images of this shape."""
    params = MODEL.init(key, jnp.zeros((1, *shape)), train=False)["params"]
    scale = jnp.asarray(rate, jnp.float32)
    return dataclasses.replace(training.init_state(params, RULE), learning_rate_scale=scale)


def racer(examples: Examples, batch: int, *, accumulate: int = 1, epochs: int) -> Racer:
    """Gradient descent on a 64-unit ReLU net in reshuffled batches; at most `epochs` of them.

    The examples that fill no whole batch are left out of each epoch.
    """
    size = len(examples["label"])
    steps = size // batch
    checks = math.gcd(steps, CHECKS)
    step = training.make_train_step(
        LOSS, RULE, accumulate=accumulate, rng_streams=(), diagnostics=False
    )
    train_epoch = training.make_train_epoch(step)
    shape = examples["image"].shape[1:]
    examples = jax.device_put(examples)
    sample = {name: values[:SAMPLE] for name, values in examples.items()}
    look = training.make_eval_step(LOSS)

    def order(key: jax.Array, number: jax.Array) -> data.Order:
        return data.epoch_order(jax.random.fold_in(key, number), size, batch)

    @jax.jit
    def race_on(
        examples: Examples, sample: Examples, key: jax.Array, rate: jax.Array,
        target: jax.Array, limit: jax.Array,
    ) -> tuple[jax.Array, jax.Array]:  # fmt: skip
        def loss_of(state: training.TrainState) -> jax.Array:
            sums = look(state, sample)
            return sums["loss"] / sums["weight"]

        def going(carry: tuple) -> jax.Array:
            _, losses, done = carry
            return (losses[done] > target) & (done < limit * checks)

        def advance(carry: tuple) -> tuple:
            state, losses, done = carry
            rows = jax.tree.map(
                lambda x: x.reshape(checks, -1, batch)[done % checks], order(key, done // checks)
            )
            state, _ = train_epoch(state, examples, rows, key)
            return state, losses.at[done + 1].set(loss_of(state)), done + 1

        state = start(key, rate, shape)
        losses = jnp.full(epochs * checks + 1, jnp.nan).at[0].set(loss_of(state))
        _, losses, done = jax.lax.while_loop(going, advance, (state, losses, 0))
        return jnp.where(losses[done] <= target, done / checks, jnp.inf), losses

    @jax.jit
    def epoch_on(examples: Examples, state: Any, key: jax.Array) -> training.TrainState:
        return train_epoch(state, examples, order(key, 0), key)[0]

    return Racer(
        functools.partial(race_on, examples, sample),
        functools.partial(epoch_on, examples),
        lambda key, rate: start(key, rate, shape),
        checks,
    )


class Tuned(NamedTuple):
    """What `tune_and_race` found.

    Attributes:
        rate: with the least total of epochs over the tuning keys.
        totals: these of each rate, in the grid's order; inf if given up.
        epochs: that the rate needs with each of the fresh keys.
        losses: of those runs, `[seed, look]`.
    """

    rate: float
    totals: list[float]
    epochs: list[float]
    losses: list[Any]


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
            total += float(racer.race(key, rate, target, min(limit, best - total))[0])
            if total >= best:
                break
        totals[rate] = total if total < best else math.inf
    rate = min(totals, key=lambda rate: totals[rate])
    runs = [jax.device_get(racer.race(key, rate, target, limit)) for key in keys]
    if not np.isfinite([totals[rate], *(epochs for epochs, _ in runs)]).all():
        raise ValueError(f"rate {rate} of {totals} misses {target} in {limit} epochs.")
    return Tuned(rate, list(totals.values()), [float(e) for e, _ in runs], [x for _, x in runs])


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
