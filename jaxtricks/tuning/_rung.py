"""Trials run for some epochs: all of a search, or those that are left of it."""

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
    """What all rungs of a search share; see `search`."""

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
    """Runs those of the trials that are not finished, in chunks of one program.

    Args:
        setting: of the search.
        done: what is finished, to which it adds.
        trials: those of this rung.
        rung: its number, from 0; those above 0 go on from the positions of the one before.
        lengths: epochs of each rung, for a run that is told; else None.
        again: whether to run the finished ones again too, whose positions are lost.
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
    """Those that this process runs: of two processes every second one."""
    return trials[jax.process_index() :: jax.process_count()]


def call_rows(
    setting: Setting, call: Callable[..., Any], rows: list[int], states: PyTree, epochs: int | None
) -> tuple[Mapping[str, Any], PyTree]:
    """The results of a chunk of trials, and their positions, if there are rungs.

    Raises:
        ValueError: there is no result that ranks them.
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
    """One for each; not by vmap, under which keys of "rbg" would depend on the chunk."""
    return jax.lax.map(lambda trial: jax.random.fold_in(key, trial), trials)


def first_rows(tree: PyTree, rows: int) -> PyTree:
    return jax.tree.map(lambda leaf: leaf[:rows], tree)


def shape_of_positions(setting: Setting, trial: int, epochs: int | None) -> PyTree:
    """Shapes and dtypes of the position of one trial."""
    first = program(setting.run, setting.hyper_parameters, trial, 0, epochs)
    traced = [leaf[0] for leaf in traced_rows(setting.hyper_parameters, [trial])]
    return jax.eval_shape(first, setting.key, traced, *setting.shared)[1]


def even_chunks(trials: list[int], chunk: int) -> list[tuple[list[int], list[int]]]:
    """The trials in chunks of one length, the last filled with its last: trials, and with those."""
    if not trials:
        return []
    chunks = -(-len(trials) // chunk)
    size = -(-len(trials) // chunks)
    parts = [trials[i : i + size] for i in range(0, len(trials), size)]
    return [(part, part + part[-1:] * (size - len(part))) for part in parts]


def scores_of(setting: Setting, done: Finished, trials: Sequence[int], rung: int) -> np.ndarray:
    """Results that rank the trials, the least the best, infinity where one is not finite."""
    found = [done.results[rung, trial] for trial in trials]
    if any(setting.by not in one for one in found):
        raise ValueError(f"by must be one of the results, got {setting.by!r}.")
    scores = np.array([np.ravel(one[setting.by])[-1] for one in found], float)
    return np.where(np.isfinite(scores), -scores if setting.largest else scores, np.inf)


def survivors(
    setting: Setting, done: Finished, trials: list[int], rung: int, reduction: int
) -> list[int]:
    """The best of the trials, one in `reduction`, and none that is not finite; in their order."""
    scores = scores_of(setting, done, trials, rung)
    best = np.argsort(scores, kind="stable")[: math.ceil(len(trials) / reduction)]
    return [trials[i] for i in sorted(best) if np.isfinite(scores[i])]


def report(setting: Setting, done: Finished, trials: list[int], rung: int, rungs: int) -> None:
    """Prints how many trials of a rung are done, and the best of them, on process 0."""
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
    """The table and the curves, each trial by its last rung, its curves by all of them.

    Raises:
        ValueError: results differ in names or lengths, or have the name of another column.
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
                f"run must give the same results in all trials, got {name!r} of several lengths."
            ) from None
        table[name] = column
    return table, curves


def joined(parts: list[list[list[float] | None]]) -> np.ndarray:
    """Curves of all rungs behind each other, NaN where a trial was not run."""
    found = []
    for rung in zip(*parts, strict=True):
        nothing = np.full(max(len(part or ()) for part in rung), np.nan)
        found.append(np.array([nothing if part is None else part for part in rung], float))
    return np.concatenate(found, axis=1)
