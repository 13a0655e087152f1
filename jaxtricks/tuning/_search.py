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
            hyper-parameter by name, such as `"rule.learning_rate"`; each number that `run`
            returned; the last value of each curve; with rungs also `"epochs"`.
            `pandas.DataFrame(table)` opens it.
        curves: the curves that `run` returned, `[trials, length]` each.
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
    one compiled program for all trials with the same static hyper-parameters. With
    `draw_key, run_key = jax.random.split(key)` the hyper-parameters are
    `sample(draw_key, space, trials)`, and trial `i` has the key `fold_in(run_key, i)`. The result
    of a trial depends only on these, not on other trials, the division into calls, or
    interruptions. With `mapping="map"` on devices of the same kind and settings this holds bit for
    bit. With `"vmap"`, and between one CPU device and several, results agree up to rounding, which
    training can amplify. With `"vmap"` and random keys of the generators `"rbg"` or `"unsafe_rbg"`
    (not JAX's default), the draws also depend on the size of the chunk.

    A trial that diverges gives NaN and does not affect the others. The curves of `training.run` are
    also NaN after an early stop, which would count as divergence: return the best value instead, or
    use `after_stop="last"`.

    With `rungs` (successive halving) the calls are
    `run(key, hyper_parameters, position, epochs, *shared)`, which must return
    `(results, position)`. `epochs` is the number of further epochs to train, a Python integer;
    `position` is None at first, and then what the trial returned last, such as the `position` of
    `training.run`. With `rungs=(1, 3, 9)` all trials train for one epoch, the best third for two
    more, and the best ninth for six more. Curves are the same as without rungs, up to rounding, and
    NaN after the end of a trial, which the column `"epochs"` gives.

    Under `jax.distributed` every process makes the same call, with a `folder` that all of them see.
    The trials are divided among the processes, each process writes its own file, and all return the
    full table. A search may be resumed with another number of processes.

    Args:
        key: random key of the search.
        run: a pure, traceable function. It returns a number, which is the loss, or a dict of
            numbers and of curves with one axis, such as `{"loss": ..., "accuracy": ...}`.
        space: a tree of `log_uniform`, `uniform`, `integers` and `choice`.
        trials: the number of trials, or their hyper-parameters from `sample`, `sobol` or `grid`.
        shared: further arguments of `run`, the same in all trials. Pass the data here; `run` must
            not close over it.
        by: the result that ranks the trials.
        largest: whether the largest value is the best, as with an accuracy.
        rungs: increasing total numbers of epochs after each of which the worst trials are ended,
            except after the last. None trains all trials to their end.
        reduction: one in this many trials continues after a rung, at least 2; of equal trials those
            with the lower numbers. A trial that is not finite does not continue.
        chunk: number of trials in one call of the program, at least 1. Results are written after
            each call.
        folder: the folder for the results in `search.jsonl`, one line per trial, created if
            missing; with `rungs` also for the positions. None stores nothing. On resuming, the key,
            hyper-parameters, data and rungs must be those in the folder; static values are compared
            by text, functions by module and name, other values by `repr`. `run` and what it closes
            over are not compared: after changing `run`, use another folder, or its old results are
            returned.
        resume: whether to continue the search in the folder, if there is one. Finished trials are
            not run again. Without rungs the number of trials may change.
        progress: whether to print a line to standard error after each chunk.
        mapping: as in `training.train_population`.
        devices: as in `training.train_population`.

    Returns:
        The table of trials, the curves and the hyper-parameters.

    Raises:
        ValueError: a number is out of range; `trials` do not fit the space; no result depends on a
            leaf of the space; the folder holds another search, or this one and `resume` is False;
            there is no result `by`; results differ in names or lengths between trials, or have the
            name of a hyper-parameter; there is a folder and two static values have the same text;
            or several processes see different folders or pass different arguments.
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
            f"none of the {len(table[by])} trials has a finite {by}: look into a single run.",
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
