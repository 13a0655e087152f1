"""Tuning each method with the same number of trials, and judging it on seeds it has not seen."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Run = Callable[[jax.Array, Any], Any]


class Arm(NamedTuple):
    """One method of a comparison.

    Attributes:
        loss: `(key, trial) -> scalar`, what tuning makes small; traced, for one trial and one key.
        trials: the hyper-parameters to try, a pytree of arrays whose first axis is the trials.
        test: `(key, trial) -> pytree`, what is measured of the best trial; None: `loss`.
    """

    loss: Run
    trials: Any
    test: Run | None = None


class Tuned(NamedTuple):
    """What tuning found, as numpy arrays.

    Attributes:
        tuning: losses `[trial, tuning seed]`, whatever they were.
        best: index of the trial with the least mean; one not finite on every seed cannot win.
        trial: its hyper-parameters.
        tested: `test` of it on the fresh seeds, first axis the seeds.
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
    tuning, so no key serves both. One program an arm; arms whose functions are the same objects
    and whose trials have equal shapes share one.

    Raises:
        ValueError: the arms differ in their number of trials, or have none; a number of seeds is
            under 1; a loss is no scalar; or no trial of an arm has finite losses.

    Example:
        >>> def loss(key, rate):
        ...     return (rate - 0.3) ** 2 + 0.01 * jax.random.uniform(key)
        >>> trials = {"coarse": np.array([1.0, 10.0]), "fine": np.array([1.0, 0.3])}
        >>> arms = {name: Arm(loss, rates) for name, rates in trials.items()}
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
        test = arm.test or arm.loss
        tuned = jax.device_get(_tune(arm.loss, test, arm.trials, keys[seeds:], keys[:seeds]))
        if not np.isfinite(tuned.tuning[tuned.best]).all():
            raise ValueError(
                f"{name!r}: none of {counts[name]} trials has finite losses on all tuning seeds."
            )
        found[name] = tuned._replace(best=int(tuned.best))
    return found


def _count(name: Any, trials: Any) -> int:
    lengths = {(*np.shape(leaf), 0)[0] for leaf in jax.tree.leaves(trials)}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"{name!r}: trials must be arrays with one first axis, got {trials!r}.")
    return lengths.pop()


@functools.partial(jax.jit, static_argnums=(0, 1))
def _tune(loss: Run, test: Run, trials: Any, tuning_keys: jax.Array, keys: jax.Array) -> Tuned:
    over_keys = jax.vmap(loss, (0, None))
    losses = jax.vmap(over_keys, (None, 0))(tuning_keys, trials)
    if jnp.ndim(losses) != 2:
        raise ValueError(f"a loss must be a scalar, got shape {losses.shape[2:]}.")
    finite = jnp.isfinite(losses).all(axis=1)
    best = jnp.argmin(jnp.where(finite, jnp.mean(losses, axis=1), jnp.inf))
    trial = jax.tree.map(lambda leaf: jnp.asarray(leaf)[best], trials)
    return Tuned(losses, best, trial, jax.vmap(test, (0, None))(keys, trial))
