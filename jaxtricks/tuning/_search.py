"""A hyper-parameter search: many runs of one function with values from a search space."""

import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key, PyTree

from jaxtricks._check_increasing import check_increasing
from jaxtricks._checks import check_flag, check_instance, check_integer, check_key
from jaxtricks.tuning._check_used import check_used
from jaxtricks.tuning._rung import Setting, run_rung, survivors, tabulate
from jaxtricks.tuning._search_folder import check_texts, digest, open_folder, rows_of_columns
from jaxtricks.tuning._trials import check_takes, columns, drawn


class Search(NamedTuple):
    """The result of `search`.

    Attributes:
        table: a dict of columns with one entry per trial: `"trial"`, counted from 0; each
            hyper-parameter by name; each number that `run` returned; the last value of each curve;
            with rungs also `"epochs"`, the number of epochs that the trial was trained. The name of
            a hyper-parameter is its path in the space, such as `"rule.learning_rate"`, or `"value"`
            if the space is a single distribution. `pandas.DataFrame(table)` makes a data frame.
        curves: the curves that `run` returned, by name, `[trials, length]` each.
        hyper_parameters: the hyper-parameters of all trials, a tree like the space with arrays.
    """

    table: dict[str, np.ndarray]
    curves: dict[str, np.ndarray]
    hyper_parameters: PyTree


def search(
    key: Key[Array, ""],
    run: Callable[..., Any],
    space: PyTree,
    trials: int | PyTree,
    *,
    shared: tuple[PyTree, ...] = (),
    by: str = "loss",
    largest: bool = False,
    rungs: Sequence[int] | None = None,
    reduction: int = 3,
    chunk: int = 64,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
    mapping: Literal["map", "vmap"] | None = None,
    devices: Sequence[jax.Device] | None = None,
) -> Search:
    """Runs a function with the hyper-parameters of many trials, and collects the results.

    The calls are `run(key, hyper_parameters, *shared)`, made by `training.train_population` with
    one compiled program for all trials with the same static hyper-parameters (see `choice`). With
    `draw_key, run_key = jax.random.split(key)` the hyper-parameters are
    `sample(draw_key, space, trials)`, and trial `i` has the key `fold_in(run_key, i)`. The result
    of a trial depends only on its key, its hyper-parameters and `shared`, not on other trials, the
    division into calls, or interruptions. With `mapping="map"` on devices of the same kind and
    settings this holds bit for bit. With `"vmap"`, and between one CPU device and several, results
    agree up to rounding, which training can amplify. With `"vmap"` and random keys of the
    generators `"rbg"` or `"unsafe_rbg"` (not JAX's default), the draws inside `run` also depend on
    `chunk`.

    A trial that diverges gives NaN and does not affect the others. After an early stop, the curves
    of `training.run` are NaN too, which would count as divergence: let `run` return the best value
    instead, or call `training.run` with `after_stop="last"`.

    With `rungs` (successive halving) the calls are
    `run(key, hyper_parameters, position, epochs, *shared)`, which must return
    `(results, position)`. `epochs` is the number of further epochs to train, a Python integer;
    `position` is None at first, and then what the trial returned last, such as the `position` of
    `training.run`. With `rungs=(1, 3, 9)` all trials train for one epoch, the best third for two
    more, and the best ninth for six more. The curves of a trial are the same as without rungs, up
    to rounding, and NaN in the epochs after its end. The column `"epochs"` of the table gives the
    number of epochs that each trial was trained.

    Under `jax.distributed` every process must make the same call, with a `folder` that all of them
    see. The trials are divided among the processes, each process writes its own file, and all
    return the full table. A search may be resumed with another number of processes.

    Args:
        key: random key of the search.
        run: a pure, traceable function. It returns a number, which is the loss, or a dict of
            numbers and of curves with one axis, such as `{"loss": ..., "accuracy": ...}`.
        space: a tree of `log_uniform`, `uniform`, `integers` and `choice`.
        trials: the number of trials, or their hyper-parameters from `sample`, `sobol` or `grid`.
        shared: further arguments of `run`, the same in all trials. Pass the data here; `run` must
            not close over it.
        by: the name of the result that ranks the trials; of a curve, the last value counts.
        largest: whether the largest value is the best, as with an accuracy.
        rungs: increasing numbers of epochs, counted from the start of training. After each of them
            but the last, only the best trials continue. None trains all trials to their end.
        reduction: after each rung, the best `1 / reduction` of its trials continue, rounded up; an
            integer of at least 2. Of equal trials those with the lower numbers continue. A trial
            whose result `by` is not finite never continues.
        chunk: largest number of trials in one call of the program, at least 1. Results are written
            after each call.
        folder: the folder for the results, created if missing. They are in `search.jsonl`, one line
            per trial; with `rungs` the folder also holds the positions of the trials. None stores
            nothing. On resuming, the key, hyper-parameters, `shared` and `rungs` must be those of
            the search in the folder, and with `rungs` also `by`, `largest` and `reduction`. Static
            values are compared by text, functions by module and name, other values by `repr`. `run`
            and what it closes over are not compared: after changing `run`, use another folder, or
            the results of the old function are returned.
        resume: whether to continue the search in the folder, if there is one. Finished trials are
            not run again. Without rungs the number of trials may change.
        progress: whether to print a line to standard error after each chunk.
        mapping: how each device runs its trials of a chunk: `"map"` one after another, `"vmap"` all
            at once. None means `"map"` on CPUs and `"vmap"` on accelerators.
        devices: the devices among which the trials are divided; None means all devices of this
            process.

    Returns:
        The table of trials, the curves and the hyper-parameters.

    Raises:
        ValueError: a number is out of range; `trials` do not fit the space; there is a leaf of the
            space on which no result depends; the folder holds another search, or holds this one and
            `resume` is False; there is no result `by`; results differ in names or lengths between
            trials, or have the name of a hyper-parameter; two static values have the same text, if
            there is a folder; or several processes see different folders or pass different
            arguments.
        TypeError: an argument has a wrong type, or `run` returns values of another kind.
        RuntimeError: another search is writing to the folder.
        OSError: the folder cannot be used.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxtricks.tuning import log_uniform
        >>> def run(key, hyper_parameters):
        ...     return (jnp.log10(hyper_parameters["rate"]) + 2) ** 2
        >>> space = {"rate": log_uniform(1e-5, 1.0)}
        >>> found = search(jax.random.key(0), run, space, 50, progress=False)
        >>> best = np.nanargmin(found.table["loss"])
        >>> sorted(found.table), bool(0.005 < found.table["rate"][best] < 0.02)
        (['loss', 'rate', 'trial'], True)

    References:
        Jamieson and Talwalkar, [Non-stochastic best arm identification and hyperparameter
        optimization](https://arxiv.org/abs/1502.07943), 2016.
    """
    check_key("key", key)
    check_instance("shared", shared, tuple)
    check_takes(run, 2 + 2 * (rungs is not None) + len(shared))
    check_instance("by", by, str)
    check_integer("chunk", chunk, low=1)
    for name, flag in (("largest", largest), ("resume", resume), ("progress", progress)):
        check_flag(name, flag)
    draw_key, run_key = jax.random.split(key)
    hyper_parameters = drawn(draw_key, space, trials)
    check_rungs(rungs, reduction)
    named = columns(hyper_parameters)
    rows = rows_of_columns(named)
    if folder is not None:
        check_texts(named)
    halving: tuple = ()
    if rungs is not None:  # which trials continue depends on all trials
        halving = (*map(int, rungs), int(reduction), by, bool(largest), rows)
    setting = Setting(
        run, hyper_parameters, run_key, shared, by, largest, chunk, progress,
        {"mapping": mapping, "devices": devices},
    )  # fmt: skip
    lengths = [None] if rungs is None else np.diff([0, *rungs]).tolist()
    alive = list(range(len(rows)))
    searched = digest(key, named, shared, *halving)
    with open_folder(folder, searched, rows, resume=resume) as done:
        if any((0, trial) not in done.results for trial in alive):
            check_used(run, hyper_parameters, key, shared, by, lengths)
        for rung in range(len(lengths)):
            run_rung(setting, done, alive, rung, lengths)
            if rung:
                done.forget(rung - 1)
            if rung < len(lengths) - 1:
                alive = survivors(setting, done, alive, rung, reduction)
        table, curves = tabulate(setting, done, rungs)
    if not np.isfinite(table[by]).any():
        warnings.warn(
            f"none of the {len(table[by])} trials has a finite {by}: check a single run.",
            stacklevel=2,
        )
    return Search(table, curves, hyper_parameters)


def check_rungs(rungs: Sequence[int] | None, reduction: int) -> None:
    """Checks the arguments of successive halving.

    Raises:
        ValueError: the rungs are not positive and increasing, or `reduction` is under 2.
        TypeError: `reduction` or a rung is not an integer.
    """
    check_integer("reduction", reduction, low=2)
    if rungs is not None:
        check_increasing("rungs", rungs, low=1)
