"""Training a network on a small set, as one scan, looked at as often as an experiment wants."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.lab.images import Examples
from jaxtricks import data, optimizers, schedules, training


def trainer(
    model: nn.Module, rule: optax.GradientTransformation, rng_streams: Sequence[str] = ()
) -> training.Trainer:
    """Cross-entropy training by the rule, without diagnostics; the model draws from the streams."""
    loss = training.classification_loss(model)
    return training.trainer(loss, rule, rng_streams=rng_streams, diagnostics=False)


def first_variables(model: nn.Module, key: jax.Array, examples: Examples) -> dict[str, Any]:
    """A model's variables before the first update, for images like these."""
    return model.init(key, jnp.zeros((1, *examples["image"].shape[1:])), train=False)


def order_of(
    key: jax.Array, size: int, steps: int, batch: int, *, whole: bool = False
) -> data.Order:
    """Reshuffled epochs one after another, cut into batches of any size.

    Equal keys give equal streams: two batch sizes see the same examples in the same order. If
    `whole`, no batch has examples of two epochs: what does not fill one is left out of its epoch.
    """
    used = size - size % batch if whole else size

    def epoch(number: jax.Array) -> jax.Array:
        return data.epoch_order(jax.random.fold_in(key, number), size, size).indices[0, :used]

    places = jax.lax.map(epoch, jnp.arange(-(-steps * batch // used))).reshape(-1)
    indices = places[: steps * batch].reshape(steps, batch)
    return data.Order(indices, jnp.ones(indices.shape))


def train(
    trainer: training.Trainer,
    start: Any,
    examples: Any,
    *,
    key: jax.Array,
    epochs: int,
    batch: int,
    look: Callable[[training.TrainState], Any] = lambda state: None,
    every: int = 1,
    done: Any = 0,
) -> tuple[training.TrainState, Any]:
    """The state after `epochs` reshuffled passes in whole batches, and its looks, stacked.

    Args:
        trainer: whose step is taken.
        start: the model's variables before the first update, or the state after `done` epochs.
        examples: a training set, such as `subset` draws.
        key: decides the order of the examples and what the model draws.
        epochs: passes, a multiple of `every`.
        batch: examples of an update.
        look: measures a state.
        every: epochs between two looks.
        done: epochs before the first of these, with the same key.
    """
    order_key, step_key = jax.random.split(key)
    size = len(examples["label"])

    def epoch(state: training.TrainState, number: Any) -> tuple[training.TrainState, None]:
        order = data.epoch_order(jax.random.fold_in(order_key, number), size, batch)
        return training.train_epoch(trainer, state, examples, order, key=step_key)[0], None

    def part(state: training.TrainState, numbers: Any) -> tuple[training.TrainState, Any]:
        state, _ = jax.lax.scan(epoch, state, numbers)
        return state, look(state)

    numbers = done + jnp.arange(epochs).reshape(-1, every)
    begun = isinstance(start, training.TrainState)
    return jax.lax.scan(part, start if begun else trainer.init(start), numbers)


def train_in_parts(
    trainer: training.Trainer,
    state: training.TrainState,
    examples: Any,
    order: data.Order,
    *,
    key: jax.Array,
    parts: int,
    look: Callable[[training.TrainState, dict[str, jax.Array]], Any],
) -> tuple[training.TrainState, Any]:
    """The state after the updates of `order`, and its looks after equal parts of them, stacked.

    Args:
        trainer: whose step is taken.
        state: before the first update.
        examples: to train with.
        order: of a number of updates that is a multiple of `parts`, such as `order_of` makes.
        key: decides what the model draws.
        parts: how many.
        look: `(state, metrics) -> what is measured`; the metrics are those of the part's updates.
    """

    def part(state: training.TrainState, rows: data.Order) -> tuple[training.TrainState, Any]:
        state, metrics = training.train_epoch(trainer, state, examples, rows, key=key)
        return state, look(state, metrics)

    rows = jax.tree.map(lambda x: x.reshape(parts, -1, x.shape[-1]), order)
    return jax.lax.scan(part, state, rows)


def resume(
    folder: Path,
    begin: Callable[[jax.Array], training.TrainState],
    advance: Callable[..., training.TrainState],
    keys: jax.Array,
    *,
    epochs: int,
    every: int,
    shared: tuple = (),
) -> training.TrainState:
    """States of long runs, an axis of keys in front, which a kill throws back to their last save.

    Whoever has made use of the states removes the folder.

    Args:
        folder: where they are saved every so many epochs, and where an earlier call left them.
        begin: `key -> state` before the first update.
        advance: `(key, done, state, *shared) -> state` after `every` more epochs than `done`.
        keys: one for each run; the devices share the runs.
        epochs: of a whole run, a multiple of `every`.
        every: epochs between two saves.
        shared: further arguments, the same for all, such as the images.

    Raises:
        ValueError: `epochs` is no multiple of `every`, or the folder holds runs of other keys or
            lengths.
    """
    if epochs % every:
        raise ValueError(f"epochs must be a multiple of every, got {epochs} and {every}.")
    nothing, done = np.zeros(len(keys), np.int32), 0
    run = {"keys": jax.random.key_data(keys).tolist(), "epochs": epochs, "every": every}
    states = training.train_population(lambda key, nothing: begin(key), keys, nothing)
    with contextlib.suppress(FileNotFoundError):  # nothing was saved yet
        states, done, *_ = training.restore(folder, states, configuration=run)
    while done < epochs:
        states = training.train_population(
            advance, keys, nothing + done, states=states, shared=shared
        )
        done += every
        training.save(folder, states, step=done, keep=1, configuration=run)
    return states


def momentum_to_zero(rate: Any, *, steps: int, decay: Any = 0.9) -> optax.GradientTransformation:
    """Momentum SGD whose rate falls from `rate` to 0 along half a cosine."""
    return optimizers.momentum(schedules.cosine_decay(rate, steps), decay=decay)


def measure(
    trainer: training.Trainer, variables: Any, examples: Examples, *, batch: int = 1000
) -> dict[str, jax.Array]:
    """Mean "loss" in nats and "error" in percent of a model in evaluation.

    A model whose loss is not finite has the error 100 and the loss 100; no loss is over 100.
    """
    means = training.evaluate(trainer, variables, examples, min(batch, len(examples["label"])))
    finite = jnp.isfinite(means["loss"])
    return {
        "loss": jnp.where(finite, jnp.minimum(means["loss"], 100.0), 100.0),
        "error": jnp.where(finite, 100 * (1 - means["accuracy"]), 100.0),
    }


def error_at_once(trainer: training.Trainer, variables: Any, examples: Examples) -> jax.Array:
    """The "error" of `measure`, with all examples as one batch."""
    sums = trainer.evaluate(variables, examples)
    wrong = 100 * (1 - sums["accuracy"] / sums["weight"])
    return jnp.where(jnp.isfinite(sums["loss"]), wrong, 100.0)
