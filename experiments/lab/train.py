"""Training a network on a small set, as one scan, looked at as often as an experiment wants."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from experiments.lab.images import Examples
from jaxtricks import data, optimizers, schedules, training


def train(
    trainer: training.Trainer,
    variables: Any,
    examples: Any,
    *,
    key: jax.Array,
    epochs: int,
    batch: int,
    look: Callable[[training.TrainState], Any] = lambda state: None,
    every: int = 1,
) -> tuple[training.TrainState, Any]:
    """The state after `epochs` reshuffled passes in whole batches, and its looks, stacked.

    Args:
        trainer: whose step is taken.
        variables: of the model before the first update.
        examples: a training set, such as `subset` draws.
        key: decides the order of the examples and what the model draws.
        epochs: passes, a multiple of `every`.
        batch: examples of an update.
        look: measures a state.
        every: epochs between two looks.
    """
    order_key, step_key = jax.random.split(key)
    size = len(examples["label"])

    def epoch(state: training.TrainState, number: Any) -> tuple[training.TrainState, None]:
        order = data.epoch_order(jax.random.fold_in(order_key, number), size, batch)
        return training.train_epoch(trainer, state, examples, order, key=step_key)[0], None

    def part(state: training.TrainState, numbers: Any) -> tuple[training.TrainState, Any]:
        state, _ = jax.lax.scan(epoch, state, numbers)
        return state, look(state)

    numbers = jnp.arange(epochs).reshape(-1, every)
    return jax.lax.scan(part, trainer.init(variables), numbers)


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
