"""Training in a loop with validation, control rules, files, and resuming."""

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

# Made once: a rule is a static argument of compiled programs, so a new one is compiled anew.
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
    """Trains for some epochs, with validation after each, and can save and resume the run.

    With `order_key, step_key = split(key)`, the order of epoch e, counted from 0, is
    `epoch_order(fold_in(order_key, e))`, and the step at `state.step == t` draws from
    `fold_in(step_key, t)`. `run` does the same and gives the same numbers.
    Every example counts once in each epoch and in each validation: the last batch is padded with
    examples of weight 0. The state that you pass is copied, so it can be used afterwards. A second
    run of the same trainer compiles nothing; a new trainer does, and its programs stay in memory,
    see `trainer`.

    With an averager, validation, the control rules and the best model use the average of the
    parameters, unless the trainer has `evaluate_average=False`.

    In `folder`, `history.jsonl` has one line per epoch, and `checkpoints` holds the newest two and
    the best of the checkpoints, each a `Position`. With `resume=True` a run that was killed
    continues from the newest one; on the same devices and versions it gives the same numbers, bit
    for bit, as without the interruption. History lines of epochs after that checkpoint are removed
    first, and a warning names the epochs whose lines are damaged or lost. After Ctrl-C everything
    that was saved remains. Only one run at a time can write to a folder: the file `lock` keeps
    others out.

    Args:
        trainer: from `trainer`. A trainer with an `axis_name` runs under `pmap_step` on the devices
            of this process.
        state: from `trainer.init`.
        train: the training examples: a dict of arrays or, unless `loop="scan"`, a data source with
            `__len__` and `__getitem__(indices) -> dict of rows`, for data larger than memory, which
            `data.stream` reads.
        validation: the validation examples, in either form.
        key: the random key of the whole run.
        epochs: the number of epochs in total, at least 1. It may grow when a run is resumed; if the
            run already has that many epochs, nothing is trained and its result is returned.
        batch_size: the number of examples per batch, in training and validation, at most the number
            of training examples; with several processes, the number in all of them together.
        plateau: a control rule that sets the factor by which updates are multiplied, such as
            `control.plateau()`.
        stopping: a control rule that ends the run, such as `control.early_stopping(5)`; it must
            observe a single metric, unlike `control.progress_quotient`. If a run that it has ended
            is resumed, nothing is trained, and a warning says so. None means `control.keep_best()`
            in the mode of `plateau`, which never ends the run; for an accuracy without `plateau`
            pass `control.keep_best(mode="max")`.
        monitor: the name of the validation metric that both rules observe and that chooses the best
            checkpoint. It is compared in float32: a relative change below 6e-8 counts as none.
        loop: `"scan"` runs an epoch as one program on examples that are on the device; `"host"`
            reads each batch on the host and calls a compiled step. None means `"host"` for a data
            source or a trainer with an `axis_name`, and otherwise the choice of `choose_loop`.
        sharding: from `data_sharding`, to divide batches among devices. With several processes each
            reads only its own rows.
        classes: the number of classes, to check that every label is below it; with None, only
            negative labels are refused.
        folder: the folder of the run's files, on this machine's file system and seen by all
            processes; `~` is the home folder. None writes nothing.
        resume: whether to continue the run in the folder; a run without a checkpoint starts anew.
        save_every: the number of epochs between checkpoints; the last epoch always has one.
        configuration: a dict that JSON can represent, which must be the same when the run is
            resumed, such as the settings of the model, the optimizer and the control rules. The
            batch size, the key, `monitor`, the examples (of a data source, their number and the
            first batch), the shapes of the state and the kinds of `plateau` and `stopping` are
            always compared.
        on_epoch: called as `on_epoch(epoch, state, record)` after each epoch, counted from 1,
            before anything is written about it. `record` is what the history will hold, see `Fit`;
            changing it is an error. The function returns None, True to end the run, or a dict of
            metrics, which are added to the history and the TensorBoard files: numbers, or arrays,
            which TensorBoard shows as histograms of their finite entries. The history writes NaN
            and infinities as Python's `json` does. With several processes, all must return the
            same. The next epoch donates `state`: copy what you keep.
        progress: whether to report each epoch on standard error: by a bar if that is a terminal and
            tqdm is installed, else by a line.
        tensorboard: whether to write TensorBoard files into the subfolder `tensorboard`.

    Returns:
        The last state, the best variables and the history, see `Fit`.

    Raises:
        ValueError: an argument, the examples or the state do not fit, or the folder holds another
            run; the message says what differs.
        TypeError: an argument has the wrong type.
        FileExistsError: the folder holds a run and `resume` is False.
        FileNotFoundError: the folder holds a history, but its checkpoints are missing.
        NoIntactCheckpoint: all checkpoints are damaged.
        NonFiniteError: a step gave NaN or an infinity, or the monitored metric is NaN or infinite.
            The error holds the state before that step, or the state that was validated.
        OSError: the folder cannot be written to.
        RuntimeError: another run writes to the folder.
        ImportError: `tensorboard` is True and tensorboardX is not installed, or there is a `folder`
            and orbax is not installed.

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
        say(f"ended after {end.epochs} of {epochs} epochs, the best epoch was {end.best_epoch}")
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
    """Traces the step and the evaluation, which compiles nothing, and chooses the kind of loop."""
    batch = check_batch(train, batch_size, sharding)
    step = compiled_step(trainer, loop, sharding)
    program = trace_step(step, state, batch, key)
    check_monitor(trainer, state, batch_shapes(validation, batch_size), monitor)
    if loop is None and isinstance(train, Mapping) and isinstance(validation, Mapping):
        loop = "host" if trainer.axis_name is not None else choose_loop(program)
    if loop == "scan":
        return scan_loop(trainer, train, validation, key, batch_size, sharding)
    return host_loop(trainer, step, train, validation, key, batch_size, sharding)
