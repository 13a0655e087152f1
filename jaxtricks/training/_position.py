"""Where a run stands between two epochs, and how it gets to the next."""

import dataclasses
import functools
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key, PyTree, ScalarLike

from jaxtricks.control import Machine
from jaxtricks.data import Order, epoch_order
from jaxtricks.training._epoch import mean_over_steps
from jaxtricks.training._history import Record
from jaxtricks.training._loops import Loop, Numbers, copy
from jaxtricks.training._non_finite import NonFiniteError, first_non_finite
from jaxtricks.training._state import TrainState, variables


class Position(NamedTuple):
    """All that a run needs to go on, as checkpoints hold it; `epoch`: how many are finished."""

    state: TrainState
    plateau: PyTree
    stopping: PyTree
    epoch: PyTree


class Control(NamedTuple):
    """The rules that watch a validation metric; `mode`: "min" or "max" is good."""

    plateau: Machine | None
    stopping: Machine
    monitor: str
    mode: str


def begin(loop: Loop, state: TrainState, control: Control) -> Position:
    """The position before the first epoch, in buffers of its own."""
    state = loop.put(copy(state))
    return Position(
        state,
        None if control.plateau is None else control.plateau.init(),
        control.stopping.init(variables(state)),
        np.int32(0),
    )


@functools.partial(jax.jit, static_argnums=(2, 3))
def order_of(key: Key[Array, ""], epoch: ScalarLike, size: int, batch_size: int) -> Order:
    """Each epoch's order, a function of the key and the epoch."""
    return epoch_order(jax.random.fold_in(key, epoch), size, batch_size, remainder="weight")


def stopped(position: Position, control: Control) -> bool:
    """Whether the stopping rule has ended the run."""
    verdict, _ = control.stopping.update(None, position.stopping, variables(position.state))
    return bool(verdict)


def remaining(
    loop: Loop,
    control: Control,
    order_of: Callable[[np.int32], Order],
    key: Key[Array, ""],
    position: Position,
    epochs: int,
) -> Iterator[tuple[Position, Record]]:
    """Runs epoch after epoch, until there are as many as asked or the rule stops."""
    while int(position.epoch) < epochs and not stopped(position, control):
        position, record = advance(loop, control, order_of, key, position)
        yield position, record


def advance(
    loop: Loop,
    control: Control,
    order_of: Callable[[np.int32], Order],
    key: Key[Array, ""],
    position: Position,
) -> tuple[Position, Record]:
    """Runs one epoch, measures, and lets the rules see it.

    Raises:
        NonFiniteError: a step gave NaN or an infinity, or the monitored metric is one.
    """
    began, epoch = time.perf_counter(), int(position.epoch)
    state, trained = train(loop, position.state, order_of(np.int32(epoch)), key)
    measured = loop.evaluate(state)
    if not np.isfinite(measured[control.monitor]):
        raise NonFiniteError(int(state.step), None, f"validation.{control.monitor}", state)
    position = observe(loop, control, position._replace(state=state), measured[control.monitor])
    record = {
        "epoch": epoch + 1,
        "step": int(state.step),
        **{f"train.{name}": float(value) for name, value in sorted(trained.items())},
        **{f"validation.{name}": float(value) for name, value in sorted(measured.items())},
        "seconds": time.perf_counter() - began,
    }
    return position._replace(epoch=np.int32(epoch + 1)), record


def train(
    loop: Loop, state: TrainState, order: Order, key: Key[Array, ""]
) -> tuple[TrainState, Numbers]:
    """One epoch and the means of its metrics."""
    start = int(state.step)
    state, metrics = loop.epoch(state, order, key)
    last = len(metrics["non_finite"]) - 1
    if metrics["non_finite"][last]:
        after = loop.again(state, (order.indices[last], order.weights[last]), key)
        rate = float(metrics["learning_rate"][last]) if "learning_rate" in metrics else None
        raise NonFiniteError(start + last, rate, first_non_finite(after), state)
    return state, jax.device_get(jax.jit(mean_over_steps)(metrics))


def observe(
    loop: Loop, control: Control, position: Position, value: np.ndarray | np.generic
) -> Position:
    """Lets both rules see the metric; the plateau rule sets the state's scale."""
    state, lowered = position.state, position.plateau
    if control.plateau is not None:
        scale, lowered = control.plateau.update(value, lowered)
        scale = np.asarray(scale, state.learning_rate_scale.dtype)
        state = dataclasses.replace(state, learning_rate_scale=loop.put(scale))
    _, watched = control.stopping.update(value, position.stopping, variables(state))
    return position._replace(state=state, plateau=lowered, stopping=watched)
