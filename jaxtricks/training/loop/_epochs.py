"""Epoch after epoch: training, validation, the control rules and a record of the metrics."""

import functools
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jaxtyping import Array, Bool, PyTree

from jaxtricks._types import ScalarLike
from jaxtricks.training._control import (
    Control,
    Position,
    begin,
    check_first_scale,
    first_scale,
    observe,
    was_stopped,
)
from jaxtricks.training._non_finite import NonFiniteError, first_non_finite
from jaxtricks.training._state import TrainState
from jaxtricks.training._trainer import Trainer
from jaxtricks.training.devices._sharding import block_on_cpu, place, replicate
from jaxtricks.training.loop._history import Record
from jaxtricks.training.loop._loops import Loop


def first_position(
    trainer: Trainer, control: Control, state: TrainState, sharding: NamedSharding | None
) -> Position:
    """Returns the position before the first epoch, in newly allocated arrays.

    Raises:
        ValueError: the plateau rule does not start with the factor 1.
    """
    state = place(state, sharding)
    position, scale = block_on_cpu(begin_program(trainer, control, sharding, state), sharding)
    check_first_scale(scale)
    return position


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def begin_program(
    trainer: Trainer, control: Control, sharding: NamedSharding | None, state: TrainState
) -> tuple[Position, Any]:
    """Compiled: the first position, and the plateau rule's factor before its first observation."""
    position = begin(trainer, control, jax.tree.map(jnp.copy, state))
    return replicate((position, first_scale(control)), sharding)


@functools.partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=3)
def observe_program(
    trainer: Trainer,
    control: Control,
    sharding: NamedSharding | None,
    position: Position,
    value: ScalarLike,
) -> tuple[Position, Bool[Array, ""]]:
    """Compiled: the end of an epoch, where both rules observe the metric."""
    return replicate(observe(trainer, control, position, value), sharding)


def remaining(
    trainer: Trainer,
    loop: Loop,
    control: Control,
    position: Position,
    epochs: int,
    sharding: NamedSharding | None,
) -> Iterator[tuple[Position, Record, bool]]:
    """Runs epoch after epoch, until there are `epochs` of them or the stopping rule stops.

    Yields after each epoch the position, the record of its metrics, and whether to stop.

    Raises:
        NonFiniteError: a step gave NaN or an infinity, or the monitored metric is NaN or infinite.
    """
    stop = bool(was_stopped(trainer, control, position))
    while int(position.epoch) < epochs and not stop:
        began, number = time.perf_counter(), np.int32(position.epoch)
        state, means = train(loop, position.state, number)
        measured = loop.evaluate(trainer.variables(state))
        value = measured[control.monitor]
        if not np.isfinite(value):
            path = f"validation.{control.monitor}"
            raise NonFiniteError(int(state.step), reported(means), path, state)
        position = position._replace(state=state)
        seen = observe_program(trainer, control, sharding, position, value)
        position, stop = block_on_cpu(seen, sharding)
        record = {
            "epoch": int(number) + 1,
            "step": int(position.state.step),
            **{f"train.{name}": float(value) for name, value in sorted(means.items())},
            **{f"validation.{name}": float(value) for name, value in sorted(measured.items())},
            "seconds": time.perf_counter() - began,
        }
        yield position, record, stop


def train(loop: Loop, state: TrainState, number: np.int32) -> tuple[TrainState, PyTree]:
    """Trains for one epoch and returns the state and the means of the metrics.

    Raises:
        NonFiniteError: a step gave NaN or an infinity.
    """
    start = int(state.step)
    state, means = loop.epoch(state, number)
    if means["non_finite"]:
        step = int(state.step)
        after = loop.redo(state, number, step - start)
        raise NonFiniteError(step, reported(means), first_non_finite(state, after), state)
    return state, means


def reported(means: Mapping[str, Any]) -> float | None:
    """Returns the learning rate of an epoch's last step, or None if it is not reported."""
    return float(means["learning_rate"]) if "learning_rate" in means else None
