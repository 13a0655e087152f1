"""The loop around a run: validation, control, files, and an end that loses nothing."""

import contextlib
import os
from collections.abc import Mapping
from typing import Any, Literal

from jax.sharding import NamedSharding
from jaxtyping import Array, Key

from jaxtricks._checks import check_function, check_functions, check_instance, check_key
from jaxtricks._local_path import local_path
from jaxtricks._own_state import check_own_state
from jaxtricks.control import ControlRule, keep_best
from jaxtricks.data import Examples
from jaxtricks.training._control import Control, check_control, was_stopped
from jaxtricks.training._state import TrainState, check_state
from jaxtricks.training._trainer import Trainer
from jaxtricks.training.loop._checks import (
    batch_shapes,
    check_batch,
    check_default_mode,
    check_monitor,
    check_settings,
    check_split,
    trace_step,
)
from jaxtricks.training.loop._choose_loop import choose_loop
from jaxtricks.training.loop._epochs import first_position, remaining
from jaxtricks.training.loop._loops import Loop, compiled_step, host_loop, scan_loop
from jaxtricks.training.loop._on_epoch import OnEpoch, ask
from jaxtricks.training.loop._reports import event_files, progress_report, say
from jaxtricks.training.loop._result import Fit
from jaxtricks.training.loop._run_folder import RunFolder, add_resume_hint, facts_of

# Made once: a rule is a static argument of the programs, and another one would be compiled anew.
KEEP_BEST = {mode: keep_best(mode=mode) for mode in ("min", "max")}


def fit(
    trainer: Trainer,
    state: TrainState,
    train: Examples,
    validation: Examples,
    *,
    key: Key[Array, ""],
    epochs: int,
    batch_size: int,
    plateau: ControlRule | None = None,
    stopping: ControlRule | None = None,
    monitor: str = "loss",
    loop: Literal["scan", "host"] | None = None,
    sharding: NamedSharding | None = None,
    classes: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    save_every: int = 1,
    configuration: Mapping[str, Any] | None = None,
    on_epoch: OnEpoch | None = None,
    progress: bool = True,
    tensorboard: bool = False,
) -> Fit:
    """Trains for some epochs, with validation after each, and keeps what it has done.

    The order of epoch e is `epoch_order(fold_in(order_key, e))` and step t draws from
    `fold_in(step_key, t)`, with `order_key, step_key = split(key)`, as in `run`, which gives the
    same numbers. Every example counts once in each epoch and in each validation: a last batch is
    padded with weight 0. The caller's state survives. A second run of the same trainer compiles
    nothing; a new trainer does, and memory for its programs stays taken, see `trainer`.

    With an averager, validation, the rules and the best model look at the average of the
    parameters, unless the trainer has `evaluate_average=False`.

    In a folder, `history.jsonl` has one line per epoch and `checkpoints` the last and the best
    position. A run that was killed goes on bit for bit with `resume=True`, on the same devices and
    versions; lines of epochs after the checkpoint are cut off first, and a warning names the epochs
    whose lines are damaged or lost. Ctrl-C keeps what was saved.
    One run at a time writes to a folder: the file `lock` keeps others out while it runs.

    Args:
        trainer: from `trainer`. One with an `axis_name` runs under `pmap_step` on this process's
            devices.
        state: from `trainer.init`.
        train: a dict of arrays or, unless `loop="scan"`, anything with `__len__` and
            `__getitem__(indices) -> dict of rows`, for data larger than memory. `data.stream`
            reads it.
        validation: likewise.
        key: of the whole run.
        epochs: at least 1. May grow when a run is resumed; a run that has as many or more is given
            back as it ended.
        batch_size: of training and validation, at most the number of training examples; with
            several processes that of all together.
        plateau: sets the factor by which updates are multiplied, such as `control.plateau()`.
        stopping: ends the run, such as `control.early_stopping(5)`; one that watches a single
            metric. A run that it has ended stays so when it is resumed, with a warning. None is
            `control.keep_best()`; for an accuracy give `control.keep_best(mode="max")`.
        monitor: the validation metric that both watch and that the best checkpoint has, in
            float32: a change of less than 6e-8 of it is none.
        loop: `"scan"` runs an epoch as one program on examples that lie on the device, `"host"`
            reads each batch on the host and calls a compiled step. None takes what `choose_loop`
            measured to be faster, and `"host"` for examples that are not arrays.
        sharding: from `data_sharding`, to divide batches among devices. With several processes
            each reads only its rows.
        classes: how many there are, to check the labels; None checks only that none is negative.
        folder: of the run's files, on this machine's file system and seen by all processes; `~` is
            the home folder. None writes nothing.
        resume: goes on with the run in the folder, or begins one if it has no checkpoint yet.
        save_every: epochs between checkpoints; the last epoch always has one.
        configuration: what JSON has, and what must be the same when the run is resumed, such as
            the model's and the rule's settings, patiences and decays. The batch size, the key, the
            examples, the state's shapes and the kinds of `plateau` and `stopping` are compared
            without it.
        on_epoch: called as `on_epoch(epoch, state, record)` after each epoch, counted from 1,
            before anything is written of it. It returns None, True to end the run, or a dict of
            metrics: numbers, or arrays, which TensorBoard shows as histograms of their finite
            entries. They join the record, and so the history, the event files and a resumed run;
            a change of the record itself is refused. The history writes NaN and infinities as
            Python's `json` does. Several processes must all return the same.
            The next epoch uses the state up: copy what you keep.
        progress: shows a bar on a terminal if tqdm is installed, else a line for each epoch on
            standard error.
        tensorboard: writes event files into the folder's `tensorboard`.

    Raises:
        ValueError: an argument, the examples or the state do not fit, or the folder's run was
            another one; the message says what differs.
        TypeError: an argument is of the wrong kind.
        FileExistsError: the folder holds a run and `resume` is False.
        NoIntactCheckpoint: all checkpoints are damaged.
        NonFiniteError: a step gave NaN or an infinity, or the monitored metric is one. The error
            has the state before that step.
        OSError: the folder cannot be written to.
        RuntimeError: another run writes to the folder.
        ImportError: tensorboardX is not installed, and `tensorboard` is True.

    Example:
        >>> import jax, jax.numpy as jnp, numpy as np, optax
        >>> from jaxtricks import training
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2, (model_state, {})
        >>> ours = training.trainer(loss, optax.sgd(0.25))
        >>> examples, start = {"x": np.float32([1, 2, 3, 4])}, ours.init({"params": jnp.zeros(())})
        >>> options = {"key": jax.random.key(0), "epochs": 3, "batch_size": 4}
        >>> end = fit(ours, start, examples, examples, **options)
        >>> [record["validation.loss"] for record in end.history], float(end.state.params)
        ([2.8125, 1.640625, 1.34765625], 2.1875)
    """
    flags = {"resume": resume, "progress": progress, "tensorboard": tensorboard}
    numbers = {"epochs": epochs, "batch_size": batch_size, "save_every": save_every}
    wanted = {"resume": resume, "tensorboard": tensorboard, "configuration": configuration}
    if configuration is not None:
        check_instance("configuration", configuration, Mapping)
    check_settings(flags, numbers, loop, sharding, {} if folder is not None else wanted)
    check_functions("trainer", trainer, Trainer)
    check_key("key", key)
    if on_epoch is not None:
        check_function("on_epoch", on_epoch)
    if plateau is not None:
        check_functions("plateau", plateau, ControlRule)
    if stopping is None:
        stopping = KEEP_BEST["min" if plateau is None else plateau.mode]
        check_default_mode(stopping, monitor)
    control = Control(plateau, stopping, monitor)
    check_control(control)
    for name, examples in (("train", train), ("validation", validation)):
        check_split(name, examples, batch_size, loop, classes)
    check_state("state", state)
    check_own_state("state", trainer, state)
    looped = make_loop(loop, trainer, state, train, validation, key, batch_size, sharding, monitor)
    files = None
    if folder is not None:
        folder = local_path("folder", folder)
        facts = facts_of(train, validation, batch_size, key, control, state)
        files = RunFolder(folder, {"caller": configuration, "fit": facts}, control)
    opened = contextlib.nullcontext() if files is None else files.open(resume=resume)
    with opened, add_resume_hint(files):
        position, history = first_position(trainer, control, state, sharding), []
        if files is not None:
            position, history = files.restore(position)
            if position.epoch < epochs and bool(was_stopped(trainer, control, position)):
                files.tell_end(position)
        written = [] if files is None else [files.append]
        with (
            progress_report(epochs, int(position.epoch), monitor, show=progress) as show_epoch,
            event_files(folder, int(position.state.step), write=tensorboard) as add_points,
        ):
            coming = remaining(trainer, looped, control, position, epochs, sharding)
            for position, record, stop in coming:
                ended = ask(on_epoch, position.state, record)
                for report in (history.append, *written, show_epoch, add_points):
                    report(record)
                last = ended or stop or record["epoch"] == epochs
                if files is not None and (last or record["epoch"] % save_every == 0):
                    files.save(position, record)
                if ended:
                    break
    end = Fit(position, history)
    if progress and end.epochs < epochs:
        say(f"ended after {end.epochs} of {epochs} epochs, the best was epoch {end.best_epoch}")
    return end


def make_loop(
    loop: Literal["scan", "host"] | None,
    trainer: Trainer,
    state: TrainState,
    train: Examples,
    validation: Examples,
    key: Key[Array, ""],
    batch_size: int,
    sharding: NamedSharding | None,
    monitor: str,
) -> Loop:
    """Traces what will run, which compiles nothing, and chooses how epochs are run."""
    batch = check_batch(train, batch_size, sharding)
    step = compiled_step(trainer, loop, sharding)
    program = trace_step(step, state, batch, key)
    check_monitor(trainer, state, batch_shapes(validation, batch_size), monitor)
    if loop is None and isinstance(train, Mapping) and isinstance(validation, Mapping):
        loop = "host" if trainer.axis_name is not None else choose_loop(program)
    if loop == "scan":
        return scan_loop(trainer, train, validation, key, batch_size, sharding)
    return host_loop(trainer, step, train, validation, key, batch_size, sharding)
