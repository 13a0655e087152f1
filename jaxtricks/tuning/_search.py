"""A search: many runs of one function with the hyper-parameters of a space."""

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
from jaxtricks.tuning._search_folder import check_texts, digest, finished, rows_of_columns
from jaxtricks.tuning._trials import check_takes, columns, drawn


class Search(NamedTuple):
    """The result of `search`.

    Attributes:
        table: a column for each hyper-parameter by name, such as "rule.learning_rate", for each
            number that a run gave, and for the last value of each curve, besides "trial", from 0.
            `pandas.DataFrame(table)` opens it.
        curves: the curves that the runs gave, `[trials, length]`.
        hyper_parameters: those of all trials, the tree of the space with arrays at its leaves.
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
    """Calls a function with the hyper-parameters of many trials, and tabulates what it gives.

    The calls are `run(key, hyper_parameters, *shared)`, by `training.train_population`: one
    compiled program for all trials that have the same static hyper-parameters. With
    `draw_key, run_key = split(key)` the hyper-parameters are `sample(draw_key, space, trials)` and
    trial i has the key `fold_in(run_key, i)`. What a trial gives depends on nothing else: neither
    on the other trials, nor on how they are divided, nor on whether the search was interrupted: bit
    for bit with `mapping="map"` on devices of one kind and setting. To float tolerance with "vmap",
    and between one CPU device and several, which may divide large sums otherwise: training can
    widen such a difference. Under "vmap", keys of the generators "rbg" and "unsafe_rbg" draw by the
    size of the chunk; those of JAX's default do not.

    A trial that diverges gives NaN and costs the others nothing. NaN also stands behind the end of
    a run that `training.run` has stopped, and would count as divergence: give the best value, or
    use `after_stop="last"`.

    With `rungs` the calls are `run(key, hyper_parameters, position, epochs, *shared)`, which gives
    `(results, position)`: `epochs` is how many more to train, a Python integer, and `position` is
    None at first and then what the same trial gave before, such as the `position` of
    `training.run`. Of `rungs=(1, 3, 9)` all trials are trained for one epoch, the best third of
    them for two more, and the best ninth for six more. Their curves are what they would be without
    rungs, to the rounding between programs of different lengths, and NaN from where a trial was
    ended; the column "epochs" says where.

    Under `jax.distributed` every process makes the same call, and `folder` must be one that all of
    them see. The trials are divided among the processes, each writes a file of its own, and all
    give the whole table. A search goes on with another number of processes than it began with.

    Args:
        key: of the search.
        run: pure and traceable. It gives a number, which is the loss, or a dict of numbers and of
            curves with one axis, such as `{"loss": ..., "accuracy": ...}`.
        space: a tree of `log_uniform`, `uniform`, `integers` and `choice`.
        trials: how many, or their hyper-parameters, as `sample`, `sobol` and `grid` give them.
        shared: further arguments of `run`, the same for all: the data, which must not be closed
            over.
        by: the result that ranks the trials, for the progress and the warning.
        largest: whether its largest value is the best, as with an accuracy.
        rungs: epochs after which trials are ended: successive halving. None runs all to their end.
        reduction: one in how many goes on after each rung but the last, at least 2; of equals those
            drawn first. A trial that is not finite does not go on.
        chunk: trials in one call of the program, at least 1; after each the results are written.
        folder: where the results are kept, in `search.jsonl`; made if missing. None keeps nothing.
            Each line has a trial's hyper-parameters and results. Keys, hyper-parameters, data and
            rungs are compared with those of the file; static values by their text: functions by
            module and name, others by `repr`. `run` and what it closes over are not: after a change
            of it, results of the old one would be given back, so take another folder. With `rungs`
            the folder holds positions too.
        resume: whether to go on with the search that the folder holds, if it holds one. Without
            rungs `trials` may be more than before, or fewer: trials that are finished are not run
            again. A finished search is only read.
        progress: whether to print a line on standard error after each chunk.
        mapping: see `training.train_population`.
        devices: see `training.train_population`.

    Raises:
        ValueError: a number is out of range, `trials` do not fit the space, nothing that `run`
            gives depends on a leaf of it, the folder holds another search or `resume` is False,
            there is no result `by`, the runs give results of different names or lengths, or of the
            name of a hyper-parameter, or two static values read alike and there is a folder. Of
            several processes: they do not see one folder, or their arguments differ.
        TypeError: an argument is of another type, or `run` gives something else.
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
    if rungs is not None:  # who goes on depends on all trials
        halving = (*map(int, rungs), int(reduction), by, bool(largest), rows)
    setting = Setting(
        run, hyper_parameters, run_key, shared, by, largest, chunk, progress,
        {"mapping": mapping, "devices": devices},
    )  # fmt: skip
    lengths = [None] if rungs is None else np.diff([0, *rungs]).tolist()
    alive = list(range(len(rows)))
    searched = digest(key, named, shared, *halving)
    with finished(folder, searched, rows, resume=resume) as done:
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
        warnings.warn(f"none of the {len(table[by])} trials has a finite {by}.", stacklevel=2)
    return Search(table, curves, hyper_parameters)


def check_rungs(rungs: Sequence[int] | None, reduction: int) -> None:
    """Checks the arguments of successive halving.

    Raises:
        ValueError: the rungs are not positive and rising, or `reduction` is under 2.
        TypeError: they are not integers.
    """
    check_integer("reduction", reduction, low=2)
    if rungs is not None:
        check_increasing("rungs", rungs, low=1)
