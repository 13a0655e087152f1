"""The rungs of a search: running its trials for some epochs, and choosing which continue."""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, PyTree, UInt32

from jaxtricks.training import train_population
from jaxtricks.tuning._finished import Finished, rows_of
from jaxtricks.tuning._trials import columns, groups, program, traced_rows


class Setting(NamedTuple):
    """The arguments that all rungs of a search share; see `search`.

    Attributes:
        run: the function that is searched.
        hyper_parameters: the hyper-parameters of all trials.
        key: the key from which those of the trials are derived.
        shared: further arguments of `run`.
        by: the result that ranks the trials.
        largest: whether its largest value is the best.
        chunk: number of trials in one call of the program.
        progress: whether to print a line after each chunk.
        options: arguments of `training.train_population`.
    """

    run: Callable[..., Any]
    hyper_parameters: PyTree
    key: Key[Array, ""]
    shared: tuple[PyTree, ...]
    by: str
    largest: bool
    chunk: int
    progress: bool
    options: Mapping[str, Any]


def run_rung(
    setting: Setting,
    done: Finished,
    trials: list[int],
    rung: int,
    lengths: Sequence[int | None],
    *,
    again: bool = False,
) -> None:
    """Runs the trials that are not finished, in chunks, and adds them to `done`.

    Args:
        setting: the arguments of the search.
        done: the finished trials.
        trials: the trials of this rung.
        rung: number of the rung, from 0; a rung above 0 continues from the positions of the rung
            before.
        lengths: number of epochs of each rung; None in a search without rungs.
        again: whether to run finished trials again, because their positions are lost.
    """
    epochs = lengths[rung]
    for group in groups(setting.hyper_parameters, trials).values():
        call = program(setting.run, setting.hyper_parameters, group[0], rung, epochs)
        todo = group if again else own_part([i for i in group if (rung, i) not in done.before])
        if rung and todo:
            like = shape_of_positions(setting, group[0], lengths[0])
            lost = [trial for trial in todo if not done.has_position(rung - 1, trial, like)]
            if lost:
                run_rung(setting, done, lost, rung - 1, lengths, again=True)
        for part, rows in even_chunks(todo, setting.chunk):
            states = done.positions(rung - 1, rows) if rung else None
            results, positions = call_rows(setting, call, rows, states, epochs)
            done.add(rung, part, rows_of(results, part), first_rows(positions, len(part)))
            if not again:
                report(setting, done, trials, rung, len(lengths))
    if not again:
        done.wait(rung, trials)
        if jax.process_count() > 1:
            report(setting, done, trials, rung, len(lengths))


def own_part(trials: list[int]) -> list[int]:
    """Selects the trials that this process runs: with two processes, every second trial."""
    return trials[jax.process_index() :: jax.process_count()]


def call_rows(
    setting: Setting, call: Callable[..., Any], rows: list[int], states: PyTree, epochs: int | None
) -> tuple[Mapping[str, Any], PyTree]:
    """Runs a chunk of trials; returns their results and, if there are rungs, their positions.

    Raises:
        ValueError: there is no result `by`.
    """
    keys = keys_of_trials(setting.key, jnp.array(rows, jnp.uint32))
    traced = traced_rows(setting.hyper_parameters, rows)
    out = train_population(
        call, keys, traced, states=states, shared=setting.shared, **setting.options
    )
    results, positions = out if epochs is not None else (out, None)
    if setting.by not in results:
        raise ValueError(f"by must be one of the results {sorted(results)}, got {setting.by!r}.")
    return results, positions


@jax.jit
def keys_of_trials(key: Key[Array, ""], trials: UInt32[Array, " n"]) -> Key[Array, " n"]:
    """Derives a key for each trial, without vmap, which makes "rbg" keys depend on the chunk."""
    return jax.lax.map(lambda trial: jax.random.fold_in(key, trial), trials)


def first_rows(tree: PyTree, rows: int) -> PyTree:
    return jax.tree.map(lambda leaf: leaf[:rows], tree)


def shape_of_positions(setting: Setting, trial: int, epochs: int | None) -> PyTree:
    """Computes the shapes and dtypes of the position of one trial."""
    first = program(setting.run, setting.hyper_parameters, trial, 0, epochs)
    traced = [leaf[0] for leaf in traced_rows(setting.hyper_parameters, [trial])]
    return jax.eval_shape(first, setting.key, traced, *setting.shared)[1]


def even_chunks(trials: list[int], chunk: int) -> list[tuple[list[int], list[int]]]:
    """Divides the trials into chunks of one length, as pairs: the trials, and the padded trials.

    The last chunk is padded with its last trial.
    """
    if not trials:
        return []
    chunks = -(-len(trials) // chunk)
    size = -(-len(trials) // chunks)
    parts = [trials[i : i + size] for i in range(0, len(trials), size)]
    return [(part, part + part[-1:] * (size - len(part))) for part in parts]


def scores_of(setting: Setting, done: Finished, trials: Sequence[int], rung: int) -> np.ndarray:
    """Gives the scores that rank the trials, smallest first; infinity for a non-finite result."""
    found = [done.results[rung, trial] for trial in trials]
    if any(setting.by not in one for one in found):
        raise ValueError(f"by must be one of the results, got {setting.by!r}.")
    scores = np.array([np.ravel(one[setting.by])[-1] for one in found], float)
    return np.where(np.isfinite(scores), -scores if setting.largest else scores, np.inf)


def survivors(
    setting: Setting, done: Finished, trials: list[int], rung: int, reduction: int
) -> list[int]:
    """Selects the best finite trials, one in `reduction`, in the order of their numbers."""
    scores = scores_of(setting, done, trials, rung)
    best = np.argsort(scores, kind="stable")[: math.ceil(len(trials) / reduction)]
    return [trials[i] for i in sorted(best) if np.isfinite(scores[i])]


def report(setting: Setting, done: Finished, trials: list[int], rung: int, rungs: int) -> None:
    """Prints, on process 0, how many trials of a rung are finished and which is the best."""
    if not setting.progress or jax.process_index():
        return
    finished = [trial for trial in trials if (rung, trial) in done.results]
    scores = scores_of(setting, done, finished, rung)
    line = f"search: {len(finished)} of {len(trials)} trials"
    if rungs > 1:
        line += f" in rung {rung + 1} of {rungs}"
    bad = int(np.sum(~np.isfinite(scores)))
    if bad < len(finished):
        best = int(np.argmin(scores))
        score = -scores[best] if setting.largest else scores[best]
        line += f", best {setting.by} {score:.6g} (trial {finished[best]})"
    if bad:
        line += f", {bad} not finite"
    print(line, file=sys.stderr, flush=True)


def tabulate(
    setting: Setting, done: Finished, rungs: Sequence[int] | None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Makes the table, from the last rung of each trial, and the curves, from all its rungs.

    Raises:
        ValueError: there is no result `by`, or results differ in names or lengths between trials.
    """
    named = columns(setting.hyper_parameters)
    count = len(next(iter(named.values())))
    table = {"trial": np.arange(count), **named}
    last = [0] * count
    for rung, trial in done.results:
        last[trial] = max(last[trial], rung)
    if rungs is not None:
        table["epochs"] = np.array([rungs[rung] for rung in last])
    curves = {}
    if setting.by not in done.results[0, 0]:
        names = sorted(done.results[0, 0])
        raise ValueError(f"by must be one of the results {names}, got {setting.by!r}.")
    for name in done.results[0, 0]:
        parts = [
            [done.results.get((rung, trial), {}).get(name) for rung in range(max(last) + 1)]
            for trial in range(count)
        ]
        ends = [row[rung] for row, rung in zip(parts, last, strict=True)]
        try:
            if isinstance(parts[0][0], list):
                curves[name] = joined(parts)
                ends = [end[-1] for end in ends]
            column = np.asarray(ends, None if all(isinstance(v, int) for v in ends) else float)
        except (TypeError, ValueError):
            raise ValueError(
                f"run must return the same results in all trials, got {name!r} of several lengths."
            ) from None
        table[name] = column
    return table, curves


def joined(parts: list[list[list[float] | None]]) -> np.ndarray:
    """Concatenates the curves of all rungs; NaN where a trial was not run."""
    found = []
    for rung in zip(*parts, strict=True):
        nothing = np.full(max(len(part or ()) for part in rung), np.nan)
        found.append(np.array([nothing if part is None else part for part in rung], float))
    return np.concatenate(found, axis=1)
