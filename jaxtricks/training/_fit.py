"""The loop around a run: validation, control, files, and an end that loses nothing."""

import functools
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax
from jax.sharding import NamedSharding
from jaxtyping import Array, Key, PyTree

from jaxtricks._checks import check_flag, check_function, check_integer, check_key
from jaxtricks.control import Machine, early_stopping
from jaxtricks.training._evaluate import EvalStep
from jaxtricks.training._fit_checks import (
    check_batch,
    check_examples_of,
    check_measuring,
    check_settings,
    check_step,
)
from jaxtricks.training._history import Record
from jaxtricks.training._loops import make_loop
from jaxtricks.training._position import Control, begin, order_of, remaining, stopped
from jaxtricks.training._reports import bar, event_files
from jaxtricks.training._rules import check_rules
from jaxtricks.training._run_folder import RunFolder, explaining, facts_of
from jaxtricks.training._source import Examples, batch_shapes, size_of
from jaxtricks.training._state import TrainState
from jaxtricks.training._step import TrainStep


class Fit(NamedTuple):
    """What a run leaves: two ways out, and the number of epochs for a third.

    Attributes:
        state: after the last epoch.
        best: the variables with the best validation metric, for `model.apply` or
            `with_variables(state, best)`; None if the stopping rule does not keep them.
        history: of each epoch, the record that `history.jsonl` has.
        stopping: the stopping rule's state. Its `best_step` is the epoch that had the best metric:
            so long to train anew on all examples.
        epochs: how many were run, those before an interruption included.
    """

    state: TrainState
    best: PyTree
    history: list[Record]
    stopping: PyTree
    epochs: int


def fit(
    step: TrainStep,
    eval_step: EvalStep,
    state: TrainState,
    train: Examples,
    validation: Examples,
    *,
    key: Key[Array, ""],
    epochs: int,
    batch_size: int,
    loop: Literal["scan", "host"] | None = None,
    sharding: NamedSharding | None = None,
    plateau: Machine | None = None,
    stopping: Machine | None = None,
    monitor: str = "loss",
    mode: Literal["min", "max"] = "min",
    classes: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    save_every: int = 1,
    configuration: Mapping[str, Any] | None = None,
    on_epoch: Callable[[int, TrainState, Record], bool | None] | None = None,
    progress: bool = True,
    tensorboard: bool = False,
) -> Fit:
    """Trains for some epochs, with validation after each, and keeps what it has done.

    The order of epoch e is `epoch_order(fold_in(order_key, e))` and step t draws from
    `fold_in(step_key, t)`, with `order_key, step_key = split(key)`, as in `make_run`, which gives
    the same numbers. Every example counts once in each epoch and in each validation: a last batch
    is padded with weight 0. The caller's state survives.

    In a folder, `history.jsonl` has one line per epoch and `checkpoints` the last and the best
    position. A run that was killed goes on bit for bit with `resume=True`, on the same devices and
    versions; lines of epochs after the checkpoint are cut off first. Ctrl-C keeps what was saved.

    Args:
        step: from `make_train_step`; for `loop="host"` compiled, by `jit_step`, `shard_step` or
            `pmap_step`: else it runs operation by operation, which is many times slower.
        eval_step: from `make_eval_step`, without an axis name.
        state: from `init_state`.
        train: a dict of arrays or, unless `loop="scan"`, anything with `__len__` and
            `__getitem__(indices) -> dict of rows`, for data larger than memory. Rows are read in a
            thread of their own, a batch ahead.
        validation: likewise.
        key: of the whole run.
        epochs: at least 1. May grow when a run is resumed.
        batch_size: of training and validation, at most the number of training examples; with
            several processes that of all together.
        loop: `"scan"` runs an epoch as one program on examples that lie on the device, `"host"`
            gathers each batch on the host and calls a compiled step. None takes what `loop_form`
            measured to be faster, and `"host"` for examples that are no arrays, and compiles.
        sharding: from `data_sharding`, to divide batches among devices. With several processes
            each gathers only its rows.
        plateau: sets the factor by which updates are multiplied, such as `control.plateau()`.
        stopping: ends the run, such as `control.early_stopping(5)`; one that watches a single
            metric. A run that it has ended stays so when it is resumed, with a warning.
        monitor: the validation metric that both watch and that the best checkpoint has.
        mode: whether a small metric is good ("min") or a large one ("max"); as in the rules.
        classes: how many there are, to check the labels; None checks only that none is negative.
        folder: of the run's files, seen by all processes; None writes nothing.
        resume: goes on with the run in the folder, or begins one if it has no checkpoint yet.
        save_every: epochs between checkpoints; the last epoch always has one.
        configuration: what JSON has, and what must be the same when the run is resumed, such as
            the model's and the rule's settings, patiences and decays. The batch size, the key, the
            examples and the state's shapes are compared without it.
        on_epoch: called as `on_epoch(epoch, state, record)` after each epoch, counted from 1,
            before its checkpoint; to end the run it returns True. The next epoch uses the state
            up: copy what you keep.
        progress: shows a bar if tqdm is installed and there is a terminal.
        tensorboard: writes event files into the folder's `tensorboard`.

    Returns:
        The last state, the best variables, and the history.

    Raises:
        ValueError: an argument, the examples or the state do not fit, or the folder's run was
            another one; the message says what differs.
        TypeError: an argument is of the wrong kind.
        FileExistsError: the folder holds a run and `resume` is False.
        NoIntactCheckpoint: all checkpoints are damaged.
        NonFiniteError: a step gave NaN or an infinity, or the monitored metric is one. The error
            has the state before that step.
        OSError: the folder cannot be written to.
        ImportError: tensorboardX is not installed, and `tensorboard` is True.

    Example:
        >>> import jax.numpy as jnp, numpy as np, optax
        >>> from jaxtricks.training import init_state, make_eval_step, make_train_step
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2, (model_state, {})
        >>> tx, examples = optax.sgd(0.25), {"x": np.array([1.0, 2.0, 3.0, 4.0], np.float32)}
        >>> step, eval_step = make_train_step(loss, tx), make_eval_step(loss)
        >>> start = init_state(jnp.zeros(()), tx)
        >>> key = jax.random.key(0)
        >>> end = fit(step, eval_step, start, examples, examples, key=key, epochs=3, batch_size=4)
        >>> [record["validation.loss"] for record in end.history], float(end.state.params)
        ([2.8125, 1.640625, 1.34765625], 2.1875)

    References:
        S-DAT-08, S-STP-01 to 06; notes 000:25-27, 003:5.
    """
    for name, flag in (("resume", resume), ("progress", progress), ("tensorboard", tensorboard)):
        check_flag(name, flag)
    check_key("key", key)
    if on_epoch is not None:
        check_function("on_epoch", on_epoch)
    check_integer("epochs", epochs, low=1)
    machine = early_stopping(epochs, mode=mode) if stopping is None else stopping
    control = Control(plateau, machine, monitor, mode)
    wanted = {} if folder is not None else {"resume": resume, "tensorboard": tensorboard}
    numbers = {"batch_size": batch_size, "save_every": save_every}
    check_settings(numbers, loop, mode, sharding, wanted)
    check_rules(plateau, machine, monitor)
    check_examples_of("train", train, batch_size, loop, classes)
    check_examples_of("validation", validation, batch_size, loop, classes)
    check_step(step, state, check_batch(train, batch_size, sharding), key)
    check_measuring(eval_step, state, batch_shapes(validation, batch_size), *control)
    files = None
    if folder is not None:
        facts = facts_of(train, validation, batch_size, key, control)
        files = RunFolder(pathlib.Path(folder), {"caller": configuration, "fit": facts}, control)
        files.open(resume=resume)
    with explaining(files):
        run = make_loop(loop, step, eval_step, state, train, validation, key, batch_size, sharding)
        start, history = begin(run, state, control), []
        if files is not None:
            start, history = files.restore(start)
            if len(history) < epochs and stopped(start, control):
                files.tell_end(start)
        order_key, step_key = jax.random.split(key)
        order = functools.partial(order_of, order_key, size=size_of(train), batch_size=batch_size)
        position, written = start, [] if files is None else [files.append]
        with (
            bar(epochs, len(history), monitor, show=progress) as advance_bar,
            event_files(folder, int(start.state.step), write=tensorboard) as add_points,
        ):
            for position, record in remaining(run, control, order, step_key, start, epochs):
                for report in (history.append, *written, advance_bar, add_points):
                    report(record)
                ended = bool(on_epoch and on_epoch(len(history), position.state, record))
                last = ended or len(history) == epochs or stopped(position, control)
                if files is not None and (last or len(history) % save_every == 0):
                    files.save(position, record)
                if ended:
                    break
    best = getattr(position.stopping, "best_params", None)
    return Fit(position.state, best, history, position.stopping, len(history))
