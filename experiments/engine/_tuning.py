"""Tuning each method with the same number of trials, and judging it on seeds it has not seen."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

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
        tuning: losses `[trial, tuning seed]`, whatever they were.
        best: index of the trial with the least mean; one not finite on every seed cannot win.
        trial: its hyper-parameters.
        tested: results of its runs on the fresh seeds, first axis the seeds.
    """

    tuning: np.ndarray
    best: int
    trial: Any
    tested: Any


def tune(
    key: jax.Array, arms: Mapping[Any, Arm], *, tuning_seeds: int, seeds: int
) -> dict[Any, Tuned]:
    """Gives each arm its best trial, and its test on fresh seeds; all arms share all keys.

    `key` is split into `seeds + tuning_seeds`: the first are for the tests, the others for the
    tuning, so no key serves both.

    Raises:
        ValueError: the arms differ in their number of trials, or have none; a number of seeds is
            under 1; a loss is no scalar; or no trial of an arm has finite losses.

    Example:
        >>> def loss(key, rate):
        ...     return (rate - 0.3) ** 2 + 0.01 * jax.random.uniform(key)
        >>> trials = {"coarse": np.array([1.0, 10.0]), "fine": np.array([1.0, 0.3])}
        >>> arms = {name: Arm(jax.jit(loss), rates) for name, rates in trials.items()}
        >>> found = tune(jax.random.key(0), arms, tuning_seeds=3, seeds=20)
        >>> [(name, arm.best, arm.tested.shape) for name, arm in found.items()]
        [('coarse', 0, (20,)), ('fine', 1, (20,))]
    """
    if min(tuning_seeds, seeds) < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}, and {tuning_seeds} to tune.")
    counts = {name: _count(name, arm.trials) for name, arm in arms.items()}
    if len(set(counts.values())) != 1:
        raise ValueError(f"arms must have equal numbers of trials, got {counts}.")
    keys = jax.random.split(key, seeds + tuning_seeds)
    found = {}
    for name, arm in arms.items():
        trials = [
            jax.tree.map(lambda leaf, i=i: np.asarray(leaf)[i], arm.trials)
            for i in range(counts[name])
        ]
        losses = np.array([_losses(arm, keys[seeds:], trial) for trial in trials])
        finite = np.isfinite(losses).all(axis=1)
        if not finite.any():
            raise ValueError(
                f"{name!r}: none of {counts[name]} trials has finite losses on all tuning seeds."
            )
        best = int(np.argmin(np.where(finite, losses.mean(axis=1), np.inf)))
        found[name] = Tuned(losses, best, trials[best], repeat(arm.run, keys[:seeds], trials[best]))
    return found


def repeat(run: Run, keys: jax.Array, trial: Any) -> Any:
    """`run(key, trial)` for one key after another: numpy arrays whose first axis is the keys."""
    results = [jax.device_get(run(key, trial)) for key in keys]
    return jax.tree.map(lambda *rows: np.stack(rows), *results)


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
