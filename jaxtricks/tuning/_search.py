"""A search: many runs of one function with the hyper-parameters of a space."""

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, PyTree

from jaxtricks._checks import check_flag, check_function, check_instance, check_integer, check_key
from jaxtricks.training import train_population
from jaxtricks.tuning._search_file import Finished, Results, digest, finished
from jaxtricks.tuning._trials import columns, drawn, groups, program, traced_rows


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
    on the other trials, nor on how they are divided, nor on whether the search was interrupted.

    A trial that diverges gives NaN and costs the others nothing.

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
        chunk: trials in one call of the program, at least 1; after each the results are written.
        folder: where the results are kept, in `search.jsonl`; made if missing. None keeps nothing.
            Keys and hyper-parameters are compared with those of the file, the function is not: who
            changes it takes another folder.
        resume: whether to go on with the search that the folder holds.
        progress: whether to print a line on standard error after each chunk.
        mapping: see `training.train_population`.
        devices: see `training.train_population`.

    Raises:
        ValueError: a number is out of range, `trials` do not fit the space, the folder holds
            another search or `resume` is False, there is no result `by`, or the runs give results
            of different names or lengths, or of the name of a hyper-parameter.
        TypeError: an argument is of another type, or `run` gives something else.
        RuntimeError: another search is writing to the folder.
        OSError: the folder cannot be used.

    Example:
        >>> from jaxtricks.tuning import log_uniform
        >>> def run(key, hyper_parameters):
        ...     return (jnp.log10(hyper_parameters["rate"]) + 2) ** 2
        >>> space = {"rate": log_uniform(1e-5, 1.0)}
        >>> found = search(jax.random.key(0), run, space, 50, progress=False)
        >>> best = np.nanargmin(found.table["loss"])
        >>> sorted(found.table), bool(0.005 < found.table["rate"][best] < 0.02)
        (['loss', 'rate', 'trial'], True)
    """
    check_key("key", key)
    check_function("run", run)
    check_instance("shared", shared, tuple)
    check_instance("by", by, str)
    check_integer("chunk", chunk, low=1)
    for name, flag in (("largest", largest), ("resume", resume), ("progress", progress)):
        check_flag(name, flag)
    draw_key, run_key = jax.random.split(key)
    hyper_parameters = drawn(draw_key, space, trials)
    count = len(jax.tree.leaves(hyper_parameters)[0])
    with finished(folder, digest(key, hyper_parameters), resume=resume) as done:
        for group in groups(hyper_parameters).values():
            run_traced = program(run, hyper_parameters, group[0])
            for rows, call in even_chunks([t for t in group if t not in done.trials], chunk):
                keys = jax.vmap(jax.random.fold_in, (None, 0))(run_key, jnp.array(call, jnp.uint32))
                out = train_population(
                    run_traced,
                    keys,
                    traced_rows(hyper_parameters, call),
                    shared=shared,
                    mapping=mapping,
                    devices=devices,
                )
                add(done, rows, out, by)
                if progress:
                    report(done, count, by, largest)
    table, curves = tabulate(hyper_parameters, done.trials)
    if not np.isfinite(table[by]).any():
        warnings.warn(f"none of the {count} trials has a finite {by}.", stacklevel=2)
    return Search(table, curves, hyper_parameters)


def even_chunks(trials: list[int], chunk: int) -> list[tuple[list[int], list[int]]]:
    """The trials in chunks of one length, the last filled with its last: trials, and with those."""
    if not trials:
        return []
    chunks = -(-len(trials) // chunk)
    size = -(-len(trials) // chunks)
    parts = [trials[i : i + size] for i in range(0, len(trials), size)]
    return [(part, part + part[-1:] * (size - len(part))) for part in parts]


def add(done: Finished, rows: list[int], out: dict[str, Any], by: str) -> None:
    """Adds what the trials of a chunk gave.

    Raises:
        ValueError: there is no result `by`.
    """
    if by not in out:
        raise ValueError(f"by must be one of the results {sorted(out)}, got {by!r}.")
    arrays = {name: np.asarray(values) for name, values in out.items()}
    done.add(
        {trial: {name: v[i].tolist() for name, v in arrays.items()} for i, trial in enumerate(rows)}
    )


def report(done: Finished, count: int, by: str, largest: bool) -> None:
    """Prints how many trials are done and the best so far."""
    scores = {trial: float(np.ravel(found[by])[-1]) for trial, found in done.trials.items()}
    finite = {trial: score for trial, score in scores.items() if np.isfinite(score)}
    line = f"search: {len(scores)} of {count} trials"
    if finite:
        best = (max if largest else min)(finite, key=lambda trial: finite[trial])
        line += f", best {by} {finite[best]:.6g} (trial {best})"
    if len(finite) < len(scores):
        line += f", {len(scores) - len(finite)} not finite"
    print(line, file=sys.stderr, flush=True)


def tabulate(
    hyper_parameters: PyTree, trials: dict[int, Results]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The table and the curves.

    Raises:
        ValueError: results differ in names or lengths, or have the name of another column.
    """
    table = {"trial": np.arange(len(trials)), **columns(hyper_parameters)}
    names = list(trials[0])
    curves = {}
    for name in names:
        if name in table:
            raise ValueError(f"run must name its results otherwise: {name!r} is a column already.")
        values = [trials[trial].get(name) for trial in range(len(trials))]
        try:
            column = np.asarray(values, None if all(isinstance(v, int) for v in values) else float)
        except (TypeError, ValueError):
            raise ValueError(
                f"run must give the same results in all trials, got {name!r} of several lengths."
            ) from None
        if column.ndim == 2:
            curves[name] = column
            column = column[:, -1]
        table[name] = column
    return table, curves
