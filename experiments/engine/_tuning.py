"""Tuning each method with the same number of trials, and judging it on seeds it has not seen."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

RESAMPLES = 200  # of the tuning seeds
Run = Callable[[jax.Array, Any], Any]


class Arm(NamedTuple):
    """One method of a comparison.

    Attributes:
        run: `(key, trial) -> pytree of arrays`, for one trial and one key. Called for each of them,
            with equal shapes, so `jax.jit` compiles it once, for all arms that share it.
        trials: the hyper-parameters to try, a pytree of arrays whose first axis is the trials.
        loss: the number of a run's result that tuning makes small; by default all of the result.
    """

    run: Run
    trials: Any
    loss: Callable[[Any], Any] = lambda result: result


class Tuned(NamedTuple):
    """What tuning found, as numpy arrays.

    Attributes:
        tuning: losses `[trial, tuning seed]`, whatever they were; chosen for each seed anew
            `[seed, trial, tuning seed]`.
        best: index of the trial with the least mean; one not finite on every tuning seed cannot
            win. Chosen for each seed anew, the indices `[seed]`.
        trial: its hyper-parameters; chosen for each seed anew, their first axis is the seeds.
        tested: results of its runs on the fresh seeds, first axis the seeds.
        at_edge: names of the hyper-parameters whose winning value is an end of their grid, of three
            values or more.
        again: where the choice is resampled, the 200 trials that resampled tuning seeds choose.
        others: results on the fresh seeds of each trial that is among them, by index.
    """

    tuning: np.ndarray
    best: Any
    trial: Any
    tested: Any
    at_edge: tuple[str, ...] = ()
    again: np.ndarray = np.zeros(0, int)
    others: Mapping[int, Any] = MappingProxyType({})


def tune(
    key: jax.Array,
    arms: Mapping[Any, Arm],
    *,
    tuning_seeds: int,
    seeds: int,
    choice: Literal["resampled", "for each seed"] = "resampled",
) -> dict[Any, Tuned]:
    """Gives each arm its best trial, and its test on fresh seeds; all arms share all keys.

    `key` is split into `seeds + tuning_seeds`: the first are for the tests, the others for the
    tuning, so no key serves both.

    Args:
        key: where all keys come from.
        arms: the methods, with equal numbers of trials.
        tuning_seeds: runs of each trial that choose the best one.
        seeds: runs of the winner that are judged.
        choice: what becomes of the luck of the choice, which all judged seeds would share.
            "resampled": the choice is made again for 200 resamples of the tuning seeds, and
            `choice_variance` gives what that adds to a mean. "for each seed": every judged seed has
            `tuning_seeds` of its own, so that its spread has the choice in it.

    Raises:
        ValueError: the arms differ in their number of trials, or have none; a number of seeds is
            under 1; `choice` is another; a loss is no scalar; or no trial of an arm has finite
            losses.

    Example:
        >>> def loss(key, rate):
        ...     return (rate - 0.3) ** 2 + 0.01 * jax.random.uniform(key)
        >>> trials = {"coarse": np.array([1.0, 10.0]), "fine": np.array([1.0, 0.3])}
        >>> arms = {name: Arm(jax.jit(loss), rates) for name, rates in trials.items()}
        >>> found = tune(jax.random.key(0), arms, tuning_seeds=3, seeds=20)
        >>> [(name, arm.best, arm.tested.shape) for name, arm in found.items()]
        [('coarse', 0, (20,)), ('fine', 1, (20,))]
    """
    if choice not in ("resampled", "for each seed"):
        raise ValueError(f"choice must be 'resampled' or 'for each seed', got {choice!r}.")
    if min(tuning_seeds, seeds) < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}, and {tuning_seeds} to tune.")
    counts = {name: _count(name, arm.trials) for name, arm in arms.items()}
    if len(set(counts.values())) != 1:
        raise ValueError(f"arms must have equal numbers of trials, got {counts}.")
    if choice == "for each seed":
        keys = jax.random.split(key, (seeds, 1 + tuning_seeds))
        return {name: _tune_each(name, arm, keys) for name, arm in arms.items()}
    keys = jax.random.split(key, seeds + tuning_seeds)
    return {name: _tune_once(name, arm, keys[:seeds], keys[seeds:]) for name, arm in arms.items()}


def choice_variance(difference: Callable[..., Any], *found: Tuned) -> float:
    """Variance of a mean over the 200 resampled choices of hyper-parameters, for `engine.mean`.

    It is 0 of a single tuning seed, and too small of two or three.

    Args:
        difference: of the arms' results on the fresh seeds: the values that are judged, shape [n].
        found: the arms, each with its choices resampled; one resample is the same seeds in all.

    Example:
        >>> arm = Tuned(np.zeros((2, 3)), 0, 0.1, np.zeros(4), again=np.array([0, 1]),
        ...             others={0: np.zeros(4), 1: np.ones(4)})
        >>> choice_variance(lambda losses: losses, arm)
        0.25
    """
    rows = zip(*(arm.again for arm in found), strict=True)
    means = {
        row: float(np.mean(difference(*(arm.others[i] for arm, i in zip(found, row, strict=True)))))
        for row in set(rows)
    }
    rows = zip(*(arm.again for arm in found), strict=True)
    return float(np.var([means[row] for row in rows]))


def choose(
    losses: np.ndarray, trials: Any, tested: Callable[[int], Any], *, name: Any = "arm"
) -> Tuned:
    """The best trial of one arm, where its losses are there already, its choice resampled.

    Args:
        losses: what is to be small, shape [trial, tuning seed].
        trials: the hyper-parameters, a pytree of arrays whose first axis is the trials.
        tested: `trial -> results on the seeds that are judged`, asked for those that are chosen.
        name: of the arm, for the message.

    Raises:
        ValueError: no trial has finite losses on all tuning seeds, or the trials are others.

    Example:
        >>> losses = np.array([[1.0, 3.0], [2.0, 1.0], [9.0, 9.0]])
        >>> found = choose(losses, np.array([0.1, 0.2, 0.3]), lambda trial: np.full(4, trial))
        >>> found.best, float(found.trial), sorted(found.others)
        (1, 0.2, [0, 1])
    """
    if losses.ndim != 2 or len(losses) != _count(name, trials):
        raise ValueError(
            f"{name!r}: losses {losses.shape} are not of {_count(name, trials)} trials."
        )
    best = _best(name, losses)
    again = np.array([_best(name, losses[:, draw]) for draw in resamples(losses.shape[1])])
    others = {int(i): tested(int(i)) for i in {best, *again.tolist()}}
    trial = _trial(trials, best)
    return Tuned(losses, best, trial, others[best], _at_edge(trials, [trial]), again, others)


def resamples(seeds: int) -> np.ndarray:
    """Places of the tuning seeds in 200 resamples, shape [200, seeds]: the same for all arms."""
    return np.random.default_rng(0).integers(0, seeds, (RESAMPLES, seeds))


def _tune_once(name: Any, arm: Arm, tests: jax.Array, keys: jax.Array) -> Tuned:
    trials = _trials(name, arm)
    losses = np.array([_losses(arm, keys, trial) for trial in trials])
    return choose(losses, arm.trials, lambda i: repeat(arm.run, tests, trials[i]), name=name)


def _tune_each(name: Any, arm: Arm, keys: jax.Array) -> Tuned:
    trials = _trials(name, arm)
    losses = np.array([[_losses(arm, row[1:], trial) for trial in trials] for row in keys])
    best = np.array([_best(name, rows) for rows in losses])
    chosen = [trials[i] for i in best]
    results = [
        jax.device_get(arm.run(row[0], trial)) for row, trial in zip(keys, chosen, strict=True)
    ]
    return Tuned(losses, best, _stack(chosen), _stack(results), _at_edge(arm.trials, chosen))


def _best(name: Any, losses: np.ndarray) -> int:
    finite = np.isfinite(losses).all(axis=1)
    if not finite.any():
        raise ValueError(
            f"{name!r}: none of {len(losses)} trials has finite losses on all tuning seeds."
        )
    return int(np.argmin(np.where(finite, losses.mean(axis=1), np.inf)))


def _at_edge(trials: Any, chosen: list[Any]) -> tuple[str, ...]:
    """Names of the hyper-parameters of which a chosen value is the least or the greatest tried."""
    ends = []
    for (path, grid), *values in zip(
        jax.tree_util.tree_leaves_with_path(trials), *map(jax.tree.leaves, chosen), strict=True
    ):
        tried = np.unique(np.asarray(grid))
        if len(tried) > 2 and np.isin(np.asarray(values), tried[[0, -1]]).any():
            ends.append(jax.tree_util.keystr(path, simple=True, separator=".") or "rate")
    return tuple(ends)


def _trials(name: Any, arm: Arm) -> list[Any]:
    return [_trial(arm.trials, i) for i in range(_count(name, arm.trials))]


def _trial(trials: Any, i: int) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf)[i], trials)


def _stack(rows: list[Any]) -> Any:
    return jax.tree.map(lambda *values: np.stack(values), *rows)


def repeat(run: Run, keys: jax.Array, trial: Any) -> Any:
    """`run(key, trial)` for one key after another: numpy arrays whose first axis is the keys."""
    return _stack([jax.device_get(run(key, trial)) for key in keys])


def _losses(arm: Arm, keys: jax.Array, trial: Any) -> list[np.ndarray]:
    losses = [np.asarray(arm.loss(jax.device_get(arm.run(key, trial)))) for key in keys]
    if losses[0].ndim:
        raise ValueError(f"a loss must be a scalar, got shape {losses[0].shape}.")
    return losses


def _count(name: Any, trials: Any) -> int:
    lengths = {(*np.shape(leaf), 0)[0] for leaf in jax.tree.leaves(trials)}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"{name!r}: trials must be arrays with one first axis, got {trials!r}.")
    return lengths.pop()
