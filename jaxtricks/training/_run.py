"""A whole training run as one pure function: epochs, validation, plateau and early stopping."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int32, Key, PyTree

from jaxtricks._checks import check_integer
from jaxtricks.control import Machine
from jaxtricks.data import epoch_order
from jaxtricks.training._epoch import TrainEpoch, mean_over_steps
from jaxtricks.training._evaluate import EvalStep, evaluate, size_of_arrays
from jaxtricks.training._loss import Batch, Metrics
from jaxtricks.training._rules import check_rules
from jaxtricks.training._state import TrainState, variables


class Run(NamedTuple):
    """What a run leaves.

    Attributes:
        state: at the end; that of the epoch after which it stopped, if it did.
        train: of each epoch, see `mean_over_steps`; NaN after the stop.
        validation: metrics after each epoch; NaN after the stop.
        stopping: the stopping rule's state, whose `best_params` are the best
            model's variables; None without a rule.
        epochs: how many were run.
    """

    state: TrainState
    train: Metrics
    validation: Metrics
    stopping: PyTree
    epochs: Int32[Array, ""]


RunFunction = Callable[[TrainState, Batch, Batch, Key[Array, ""]], Run]


def make_run(
    train_epoch: TrainEpoch,
    eval_step: EvalStep,
    *,
    epochs: int,
    batch_size: int,
    plateau: Machine | None = None,
    stopping: Machine | None = None,
    monitor: str = "loss",
) -> RunFunction:
    """Makes `run(state, train, validation, key) -> Run`, which jits, vmaps and maps.

    The order of epoch e is `epoch_order(fold_in(order_key, e))` and step t draws from
    `fold_in(step_key, t)`, with `order_key, step_key = split(key)`, as in `fit`. A run that has
    stopped skips its epochs, or, as one of many under `vmap`, keeps its state while the others go
    on.

    Args:
        train_epoch: from `make_train_epoch`.
        eval_step: from `make_eval_step`.
        epochs: at least 1; the most there will be.
        batch_size: of training and evaluation; the last batch of an epoch is padded with weight 0.
        plateau: answers the factor by which updates are multiplied, such as `control.plateau()`.
        stopping: answers whether to stop, such as `control.early_stopping(5)`.
        monitor: the validation metric that both watch.

    Raises:
        ValueError: a length is under 1, or, when the run is traced, `batch_size` is over the
            number of training examples, arrays differ in length, or there is no metric `monitor`.
        TypeError: a machine is none, or, when traced, a split is no dict.

    Example:
        >>> import optax
        >>> from jaxtricks import control
        >>> from jaxtricks.training import init_state, make_eval_step, make_train_epoch
        >>> from jaxtricks.training import make_train_step
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2, (model_state, {})
        >>> tx, some, others = optax.sgd(0.25), {"x": jnp.ones(4)}, {"x": jnp.zeros(2)}
        >>> epoch = make_train_epoch(make_train_step(loss, tx))
        >>> stopping = control.early_stopping(patience=1)
        >>> run = make_run(epoch, make_eval_step(loss), epochs=9, batch_size=4, stopping=stopping)
        >>> result = jax.jit(run)(init_state(jnp.zeros(()), tx), some, others, jax.random.key(0))
        >>> int(result.epochs), float(result.stopping.best_params["params"])
        (3, 0.5)
    """
    check_integer("epochs", epochs, low=1)
    check_integer("batch_size", batch_size, low=1)
    check_rules(plateau, stopping, monitor)

    def run(state: TrainState, train: Batch, validation: Batch, key: Key[Array, ""]) -> Run:
        order_key, step_key = jax.random.split(key)
        size = size_of_arrays("train", train)
        if batch_size > size:
            raise ValueError(f"batch_size must not be over the {size} examples, got {batch_size}.")

        def advance(carry: tuple, epoch: Array) -> tuple[tuple, tuple]:
            state, lowered, watched, _ = carry
            order = epoch_order(
                jax.random.fold_in(order_key, epoch), size, batch_size, remainder="weight"
            )
            state, metrics = train_epoch(state, train, order, step_key)
            metrics = mean_over_steps(metrics)
            measured = evaluate(eval_step, state, validation, batch_size)
            if monitor not in measured:
                raise ValueError(f"monitor must be one of {sorted(measured)}, got {monitor!r}.")
            stop = jnp.zeros((), bool)
            if plateau is not None:
                scale, lowered = plateau.update(measured[monitor], lowered)
                state = dataclasses.replace(state, learning_rate_scale=scale)
            if stopping is not None:
                stop, watched = stopping.update(measured[monitor], watched, variables(state))
            return (state, lowered, watched, stop), (metrics, measured)

        def skip(carry: tuple, epoch: Array) -> tuple[tuple, tuple]:
            shapes = jax.eval_shape(advance, carry, epoch)[1]
            return carry, jax.tree.map(lambda s: jnp.full(s.shape, jnp.nan, jnp.float32), shapes)

        def body(carry: tuple, epoch: Array) -> tuple[tuple, tuple]:
            stopped = carry[-1]

            def go(carry: tuple, epoch: Array) -> tuple[tuple, tuple]:
                carry, out = advance(carry, epoch)
                return carry, jax.tree.map(lambda x: x.astype(jnp.float32), out)

            if stopping is None:
                carry, out = go(carry, epoch)
            else:
                carry, out = jax.lax.cond(stopped, skip, go, carry, epoch)
            return carry, (*out, ~stopped)

        start = (
            state,
            plateau.init() if plateau else None,
            stopping.init(variables(state)) if stopping else None,
            jnp.zeros((), bool),
        )
        (state, _, watched, _), (metrics, measured, ran) = jax.lax.scan(
            body, start, jnp.arange(epochs)
        )
        return Run(state, metrics, measured, watched, jnp.sum(ran, dtype=jnp.int32))

    return run
