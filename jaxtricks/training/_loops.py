"""The two ways to run an epoch from the host: as one program, or one step at a time."""

import functools
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jaxtyping import Array, Key, PyTree

from jaxtricks.data import Order
from jaxtricks.training._devices import finished, jit_step, replicated, shard_step, whole
from jaxtricks.training._epoch import make_train_epoch
from jaxtricks.training._evaluate import EvalStep, evaluate, take
from jaxtricks.training._evaluate_source import evaluate_source, own_part, placed_rows
from jaxtricks.training._loop_form import loop_form
from jaxtricks.training._loss import Batch, Metrics
from jaxtricks.training._reading import over_batches
from jaxtricks.training._source import Examples, Rows, batch_shapes
from jaxtricks.training._state import TrainState
from jaxtricks.training._step import TrainStep

Numbers = dict[str, np.ndarray | np.generic]
Row = tuple[Array | np.ndarray, Array | np.ndarray]


class Loop(NamedTuple):
    """What `fit` calls.

    Attributes:
        put: puts all of a tree on each device of the run.
        epoch: `(state, order, key) -> (state, metrics)`; the state given is used up. At a step
            that is not finite it stops, with the state before it, and that step's metrics come
            last.
        again: `(state, row of the order, key) -> state`: one step once more.
        evaluate: the validation metrics.
    """

    put: Callable[[PyTree], PyTree]
    epoch: Callable[[TrainState, Order, Key[Array, ""]], tuple[TrainState, Numbers]]
    again: Callable[[TrainState, Row, Key[Array, ""]], TrainState]
    evaluate: Callable[[TrainState], Numbers]


def make_loop(
    form: Literal["scan", "host"] | None,
    step: TrainStep,
    eval_step: EvalStep,
    state: TrainState,
    train: Examples,
    validation: Examples,
    key: Key[Array, ""],
    batch_size: int,
    sharding: NamedSharding | None,
) -> Loop:
    """The loop of a form; None: as `loop_form` says, for rows "host", and compiles the step."""
    if form is None:
        arrays = isinstance(train, Mapping) and isinstance(validation, Mapping)
        form = loop_form(step, state, batch_shapes(train, batch_size), key) if arrays else "host"
        if form == "host":
            step = jit_step(step) if sharding is None else shard_step(step, sharding)
    make = scan_loop if form == "scan" else host_loop
    return make(step, eval_step, train, validation, batch_size, sharding)


def scan_loop(
    step: TrainStep,
    eval_step: EvalStep,
    train: Batch,
    validation: Batch,
    batch_size: int,
    sharding: NamedSharding | None,
) -> Loop:
    """Each epoch is one program; all examples lie on each device."""
    train, validation = (put(dict(rows), sharding) for rows in (train, validation))

    def epoch(state: TrainState, order: Order, key: Key[Array, ""]) -> tuple[TrainState, Numbers]:
        state, metrics = scan_epoch(step, sharding, state, train, order, key)
        metrics = jax.device_get(finished(metrics, sharding))
        bad = np.flatnonzero(metrics["non_finite"])
        if bad.size:
            metrics = {name: values[: bad[0] + 1] for name, values in metrics.items()}
        return state, metrics

    def again(state: TrainState, row: Row, key: Key[Array, ""]) -> TrainState:
        return finished(one_step(step, sharding, state, train, row, key), sharding)

    def measured(state: TrainState) -> Numbers:
        sums = measure(eval_step, sharding, batch_size, state, validation)
        return jax.device_get(finished(sums, sharding))

    return Loop(functools.partial(put, sharding=sharding), epoch, again, measured)


def host_loop(
    step: TrainStep,
    eval_step: EvalStep,
    train: Examples,
    validation: Examples,
    batch_size: int,
    sharding: NamedSharding | None,
) -> Loop:
    """Each step is a call of a compiled step; the host gathers its batch while another runs."""
    read = functools.partial(own_part, train, sharding)
    placed = functools.partial(placed_rows, sharding)

    def again(state: TrainState, row: Row, key: Key[Array, ""]) -> TrainState:
        batch = placed(read(*jax.device_get(row)))
        return finished(step(copy(state), batch, key), sharding)[0]

    def epoch(state: TrainState, order: Order, key: Key[Array, ""]) -> tuple[TrainState, Numbers]:
        kept, order, history = copy(state), jax.device_get(order), []

        def advance(rows: Rows) -> Metrics:
            nonlocal state
            state, metrics = finished(step(state, placed(rows), key), sharding)
            return metrics

        for metrics in over_batches(advance, read, order):
            history.append(metrics)
            if metrics["non_finite"]:  # a few steps late, so from the start once more
                state = kept
                for row in zip(*(part[: len(history) - 1] for part in order), strict=True):
                    state = again(state, row, key)
                break
        return state, {name: np.stack([m[name] for m in history]) for name in history[0]}

    def measured(state: TrainState) -> Numbers:
        return evaluate_source(eval_step, state, validation, batch_size, sharding=sharding)

    return Loop(functools.partial(put, sharding=sharding), epoch, again, measured)


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def scan_epoch(
    step: TrainStep,
    sharding: NamedSharding | None,
    state: TrainState,
    examples: Batch,
    order: Order,
    key: Key[Array, ""],
) -> tuple[TrainState, Metrics]:
    """An epoch, compiled once for all runs with the same step."""
    epoch = make_train_epoch(step, sharding=sharding)
    return whole(epoch(state, examples, order, key), sharding)


@functools.partial(jax.jit, static_argnums=(0, 1))
def one_step(
    step: TrainStep,
    sharding: NamedSharding | None,
    state: TrainState,
    examples: Batch,
    row: Row,
    key: Key[Array, ""],
) -> TrainState:
    """One step of such an epoch."""
    return whole(step(state, take(examples, *row), key)[0], sharding)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def measure(
    eval_step: EvalStep,
    sharding: NamedSharding | None,
    batch_size: int,
    state: TrainState,
    examples: Batch,
) -> Metrics:
    """The means over a split that lies on the devices."""
    return whole(evaluate(eval_step, state, examples, batch_size, sharding=sharding), sharding)


def put(tree: PyTree, sharding: NamedSharding | None) -> PyTree:
    """Puts all of a tree on each device."""
    if sharding is None:
        return jax.device_put(tree)
    if sharding.is_fully_addressable:
        return jax.device_put(tree, replicated(sharding))
    return jax.tree.map(
        lambda x: jax.make_array_from_process_local_data(replicated(sharding), np.asarray(x)), tree
    )


@jax.jit
def copy(tree: PyTree) -> PyTree:
    """New buffers, where the old ones are, because those that are donated are gone."""
    return jax.tree.map(jnp.copy, tree)
