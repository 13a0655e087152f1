"""Arms of a comparison: tuned on seeds of their own, and judged on seeds that all share."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.engine import Tuned, choose
from jaxtricks import training

Run = Callable[..., Any]


def over(run: Run, trials: Any, keys: jax.Array, shared: tuple = ()) -> Any:
    """Results `[trial, key, ...]` of `run(key, trial, *shared)`; all trials share the keys.

    Args:
        run: pure and traceable; all calls are one program, divided among the devices.
        trials: hyper-parameters, a pytree of arrays whose first axis is the trials.
        keys: one for each seed.
        shared: further arguments, the same for all, such as the images.
    """
    count = len(jax.tree.leaves(trials)[0])
    every = jax.tree.map(lambda values: np.repeat(values, len(keys), axis=0), trials)
    results = training.train_population(run, jnp.tile(keys, count), every, shared=shared)
    return jax.tree.map(lambda x: x.reshape(count, len(keys), *x.shape[1:]), results)


def tune(
    run: Run,
    trials: Any,
    *,
    tuning: jax.Array,
    judged: jax.Array,
    shared: tuple = (),
    loss: Callable[[Any], np.ndarray] = lambda results: results["validation error"],
    name: str = "arm",
) -> Tuned:
    """The best trial of one arm on the tuning seeds, and its results on the judged ones.

    The choice is made again for 200 resamples of the tuning seeds, and every trial that one of them
    chooses is run on the judged seeds too: `engine.choice_variance` gives what that adds.

    Args:
        run: as of `over`.
        trials: hyper-parameters, a pytree of arrays whose first axis is the trials.
        tuning: keys of the tuning seeds.
        judged: keys of the judged seeds.
        shared: as of `over`.
        loss: `results -> [trial, tuning seed]`, what is to be small.
        name: of the arm, for messages.
    """
    losses = np.asarray(loss(over(run, trials, tuning, shared)), np.float64)

    def tested(trial: int) -> Any:
        one = jax.tree.map(lambda values: np.asarray(values)[[trial]], trials)
        return jax.tree.map(lambda x: x[0], over(run, one, judged, shared))

    return choose(losses, trials, tested, name=name)
