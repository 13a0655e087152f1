"""The two ways to run an epoch from the host: as one program, or one step at a time."""

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jaxtyping import Array, Int, Key, PyTree

from jaxtricks.data import Examples, count_examples, take_batch
from jaxtricks.training._epoch import mean_over_steps, numbered_epoch, order_of
from jaxtricks.training._evaluate import Numbers, evaluate_arrays, evaluate_batches, padded_size
from jaxtricks.training._feed import feed, fetch_behind
from jaxtricks.training._loss import Batch, Metrics
from jaxtricks.training._state import TrainState
from jaxtricks.training._step import TrainStep
from jaxtricks.training._trainer import Trainer
from jaxtricks.training.devices._jit_step import jit_step
from jaxtricks.training.devices._pmap_step import pmap_step
from jaxtricks.training.devices._shard_step import shard_step
from jaxtricks.training.devices._sharding import block_on_cpu, place, replicate

Number = np.int32


class Loop(NamedTuple):
    """The functions that train and evaluate in `fit`.

    Attributes:
        epoch: `(state, number) -> (state, means)` trains for the epoch of that number, counted from
            0; the state passed to it is donated. After a non-finite step it returns the state
            before that step.
        redo: `(state, number, step) -> state` repeats one step of that epoch, counted from 0.
        evaluate: `(variables) -> metrics` on the validation examples.
    """

    epoch: Callable[[TrainState, Number], tuple[TrainState, Numbers]]
    redo: Callable[[TrainState, Number, int], TrainState]
    evaluate: Callable[[PyTree], Numbers]


def scan_loop(
    trainer: Trainer,
    train: Batch,
    validation: Batch,
    key: Key[Array, ""],
    batch_size: int,
    sharding: NamedSharding | None,
) -> Loop:
    """Makes a loop whose epoch is one program; all examples lie on each device."""
    train, validation = (place(dict(rows), sharding) for rows in (train, validation))
    rows = padded_size(batch_size, count_examples(validation), sharding)
    settings = (trainer, batch_size, sharding)

    def epoch(state: TrainState, number: Number) -> tuple[TrainState, Numbers]:
        state, means = epoch_program(settings, state, train, number, key)
        return state, jax.device_get(block_on_cpu(means, sharding))

    def redo(state: TrainState, number: Number, step: int) -> TrainState:
        return block_on_cpu(step_program(settings, state, train, number, step, key), sharding)

    def evaluate(variables: PyTree) -> Numbers:
        means = evaluate_arrays(trainer.evaluate, rows, sharding, variables, validation)
        return jax.device_get(block_on_cpu(means, sharding))

    return Loop(epoch, redo, evaluate)


def host_loop(
    trainer: Trainer,
    compiled: TrainStep,
    train: Examples,
    validation: Examples,
    key: Key[Array, ""],
    batch_size: int,
    sharding: NamedSharding | None,
) -> Loop:
    """Makes a loop that calls a compiled step; batches are read while the device computes."""
    order_key, step_key = jax.random.split(key)
    steps = -(-count_examples(train) // batch_size)
    rows = padded_size(batch_size, count_examples(validation), sharding)

    def batches(number: Number, first: int) -> Iterator[Batch]:
        options = {"batch_size": batch_size, "epochs": int(number) + 1}
        first_step = int(number) * steps + first
        return feed(train, sharding, key=order_key, first_step=first_step, **options)

    def redo(state: TrainState, number: Number, step: int) -> TrainState:
        return compiled(copy(state), next(batches(number, step)), step_key)[0]

    def epoch(state: TrainState, number: Number) -> tuple[TrainState, Numbers]:
        start, history = copy(state), []

        def advance() -> Iterator[Metrics]:
            nonlocal state
            for batch in batches(number, 0):
                state, metrics = compiled(state, batch, step_key)
                yield metrics

        for metrics in fetch_behind(advance()):
            history.append(metrics)
            if metrics["non_finite"]:  # known two steps late: repeat the steps before that one
                state = start
                for batch in itertools.islice(batches(number, 0), len(history) - 1):
                    state, _ = compiled(state, batch, step_key)
                break
        stacked = {name: np.stack([m[name] for m in history]) for name in history[0]}
        return state, jax.device_get(means_program(stacked))

    def evaluate(variables: PyTree) -> Numbers:
        return evaluate_batches(trainer.evaluate, rows, sharding, variables, validation)

    return Loop(epoch, redo, evaluate)


@functools.partial(jax.jit, static_argnums=0, donate_argnums=1)
def epoch_program(
    settings: tuple[Trainer, int, NamedSharding | None],
    state: TrainState,
    examples: Batch,
    number: Int[Array, ""],
    key: Key[Array, ""],
) -> tuple[TrainState, Metrics]:
    """Trains for one epoch, compiled once for all runs of the same trainer."""
    trainer, batch_size, sharding = settings
    out = numbered_epoch(trainer, state, examples, number, key, batch_size, sharding)
    return replicate(out, sharding)


@functools.partial(jax.jit, static_argnums=0)
def step_program(
    settings: tuple[Trainer, int, NamedSharding | None],
    state: TrainState,
    examples: Batch,
    number: Int[Array, ""],
    step: Int[Array, ""],
    key: Key[Array, ""],
) -> TrainState:
    """Trains for one step of an epoch, numbered as in `Loop.redo`."""
    trainer, batch_size, sharding = settings
    order = order_of(key, number, count_examples(examples), batch_size)
    batch = take_batch(examples, order.indices[step], order.weights[step])
    _, step_key = jax.random.split(key)
    return replicate(trainer.step(state, batch, step_key)[0], sharding)


means_program = jax.jit(mean_over_steps)


@jax.jit
def copy(tree: PyTree) -> PyTree:
    """Copies arrays on their own devices, because donated arrays cannot be used again."""
    return jax.tree.map(jnp.copy, tree)


def compiled_step(trainer: Trainer, loop: str | None, sharding: NamedSharding | None) -> TrainStep:
    """Returns the compiled step that the host loop calls.

    Raises:
        ValueError: the trainer has an `axis_name`, but `sharding` or `loop="scan"` is given too.
    """
    if trainer.axis_name is None:
        return jit_step(trainer) if sharding is None else shard_step(trainer, sharding)
    if loop == "scan" or sharding is not None:
        raise ValueError(
            f"trainer with axis_name={trainer.axis_name!r} runs under pmap: leave out sharding and "
            f"loop='scan', got sharding={sharding!r} and loop={loop!r}."
        )
    return pmap_step(trainer)
