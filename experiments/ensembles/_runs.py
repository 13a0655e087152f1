"""Whole runs of a network on images, looked at after every epoch: the raw material of ensembles."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from experiments.engine import Estimate, mean
from experiments.lab import Examples, first_variables
from experiments.lab.images import halved
from jaxtricks import data, training
from jaxtricks.averaging import ensemble_predictions

BATCH = 32
FLOORS = {"mnist": 7.0, "digits": 5.0}  # errors in percent that a net must get under


class Sets(NamedTuple):
    """Images as uint8 and their labels, and the name of the data set."""

    train: Examples
    validation: Examples
    test: Examples
    name: str


def load(name: str, limit: int, *, halve: bool = False) -> Sets:
    """At most `limit` test examples, and as many to train with, a fifth of them to choose by.

    Digits where `name` is not prepared: 1,006 to train with, 252 to choose by, 539 to test.
    `halve`: pixels are averaged over 2 x 2 blocks; those of digits already are, over 4 x 4.
    """
    name = name if data.available(name) else "digits"
    share = 0.3 if name == "digits" else None  # others have a test set of their own
    fit, validation, test = data.load(name, validation=0.2, test=share, limit=limit)
    if halve and name != "digits":
        fit, validation, test = (
            {**some, "image": halved(some["image"])} for some in (fit, validation, test)
        )
    return Sets(fit, validation, test, name)


def train(
    trainer: training.Trainer,
    model: nn.Module,
    key: jax.Array,
    examples: Examples,
    look: Callable[[training.TrainState], Any],
    *,
    epochs: int,
) -> Any:
    """Trains in batches of 32 and stacks `look(state)` of every epoch's end.

    The key decides the first weights and the order of the examples.
    """
    init_key, run_key = jax.random.split(key)
    order_key, step_key = jax.random.split(run_key)

    def epoch(state: training.TrainState, number: jax.Array) -> tuple[training.TrainState, Any]:
        epoch_key = jax.random.fold_in(order_key, number)
        order = data.epoch_order(epoch_key, len(examples["label"]), BATCH)
        state, _ = training.train_epoch(trainer, state, examples, order, key=step_key)
        return state, look(state)

    state = trainer.init(first_variables(model, init_key, examples))
    return jax.lax.scan(epoch, state, jnp.arange(epochs))[1]


def steps_per_epoch(examples: Examples) -> int:
    """Whole batches; what is left over waits for another epoch's order."""
    return len(examples["label"]) // BATCH


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


def over_seeds(
    run: Callable[..., Any], arms: dict[str, np.ndarray], seeds: int, shared: tuple[Examples, ...]
) -> Any:
    """Results `[arm, seed, ...]` of `run(key, arm, *shared)`; all arms share the seeds' keys."""
    return over_keys(run, arms, jax.random.split(jax.random.key(0), seeds), shared)


def over_keys(
    run: Callable[..., Any],
    arms: dict[str, np.ndarray],
    keys: jax.Array,
    shared: tuple[Examples, ...],
) -> Any:
    """The same for keys that are given."""
    count = len(next(iter(arms.values())))
    every_arm = jax.tree.map(lambda values: np.repeat(values, len(keys), axis=0), arms)
    results = training.train_population(run, jnp.tile(keys, count), every_arm, shared=shared)
    return jax.tree.map(lambda x: x.reshape(count, len(keys), *x.shape[1:]), results)


def estimate(values: np.ndarray, choice: float) -> Estimate | np.ndarray:
    """With the variance of the choice; equal values as they are, since they are no evidence."""
    return mean(values, choice_variance=choice) if np.ptp(values) > 1e-9 else values
