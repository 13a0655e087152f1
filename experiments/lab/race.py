"""Arms of a comparison: tuned on seeds of their own, judged on seeds that all share, and raced."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.engine import Tuned, choose
from experiments.engine._results import from_json, to_json
from experiments.lab.images import Examples, Images
from experiments.lab.train import error_at_once, first_variables, order_of, train_in_parts, trainer
from jaxtricks import training

BATCH = 32
Run = Callable[..., Any]
Rule = Callable[[Any], optax.GradientTransformation]


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
    loss: str = "validation error",
    judge: Run | None = None,
) -> dict[str, Any]:
    """One arm's losses on the tuning seeds, and the results of its best trials on the judged ones.

    The best are the trial with the least mean loss and those that are chosen where the tuning seeds
    are resampled; `best` makes the choice from what this gives, which a record can hold.

    Args:
        run: as of `over`; its results are a dict.
        trials: hyper-parameters, a dict of arrays whose first axis is the trials.
        tuning: keys of the tuning seeds.
        judged: keys of the judged seeds.
        shared: as of `over`.
        loss: which of the results is to be small.
        judge: what is run on the judged seeds; None is `run`, which may be cheaper.
    """
    losses = np.asarray(over(run, trials, tuning, shared)[loss], np.float64)
    return tested(judge or run, trials, losses, judged=judged, shared=shared)


def tested(
    run: Run, trials: Any, losses: np.ndarray, *, judged: jax.Array, shared: tuple = ()
) -> dict[str, Any]:
    """As `tune`, where the losses on the tuning seeds are there already.

    Args:
        run: as of `over`; its results are a dict.
        trials: hyper-parameters, a dict of arrays whose first axis is the trials.
        losses: what is to be small, shape [trial, tuning seed].
        judged: keys of the judged seeds.
        shared: as of `over`.
    """

    def on_judged(trial: int) -> Any:
        one = {name: np.asarray(values)[[trial]] for name, values in trials.items()}
        return {name: values[0] for name, values in over(run, one, judged, shared).items()}

    return prepared(trials, losses, on_judged)


def prepared(trials: Any, losses: np.ndarray, on_judged: Callable[[int], Any]) -> dict[str, Any]:
    """As `tested`, where trials are run on the judged seeds each in its own way.

    Args:
        trials: hyper-parameters, a dict of arrays whose first axis is the trials.
        losses: what is to be small, shape [trial, tuning seed].
        on_judged: `trial -> results`, a dict of arrays whose first axis is the judged seeds.
    """
    written = np.asarray(from_json(to_json(losses)))  # of equals `best` chooses the same one
    others = choose(written, trials, on_judged).others
    numbers = sorted(others)
    results = {name: np.stack([others[i][name] for i in numbers]) for name in others[numbers[0]]}
    return {"trials": trials, "losses": losses, "numbers": numbers, "tested": results}


def best(arm: dict[str, Any], *, name: str = "arm") -> Tuned:
    """The choice that `tune` has prepared: the best trial and its results on the judged seeds."""
    numbers = [int(number) for number in arm["numbers"]]

    def tested(trial: int) -> Any:
        place = numbers.index(trial)
        return {key: np.asarray(values)[place] for key, values in arm["tested"].items()}

    trials = {key: np.asarray(values) for key, values in arm["trials"].items()}
    return choose(np.asarray(arm["losses"]), trials, tested, name=name)


def racer(
    model: nn.Module | Callable[[Any], nn.Module],
    images: Images,
    rule: Rule,
    *,
    steps: int,
    marks: int = 20,
    batch: int = BATCH,
    rng_streams: Sequence[str] = (),
) -> Callable[[jax.Array, Any], dict[str, jax.Array]]:
    """Makes `race(key, trial)`, compiled; `rule(trial)` is the optimizer.

    The model may be a function of the trial too. `rng_streams`: what it draws, such as "dropout".

    A race is `steps` updates in `marks` equal parts. It gives the mean "loss" of each part's
    batches and the test "error" in percent after it, both `[mark]`, and the error on the
    "held back" images at the end, to choose by. A run that ends in NaN has an error of 100 %, and
    losses are 100 at most. The key decides the first weights and the order of the examples.
    """

    @jax.jit
    def race(given: tuple[Examples, ...], key: jax.Array, trial: Any) -> dict:
        fit, held_back, test = given
        init_key, order_key = jax.random.split(key)
        net = model if isinstance(model, nn.Module) else model(trial)
        ours = trainer(net, rule(trial), rng_streams)
        state = ours.init(first_variables(net, init_key, fit))
        order = order_of(order_key, len(fit["label"]), steps, batch)

        def look(state: training.TrainState, metrics: Any) -> dict[str, jax.Array]:
            mean = jnp.mean(metrics["loss"])
            loss = jnp.where(mean < 100, mean, 100.0)
            return {"loss": loss, "error": error_at_once(ours, ours.variables(state), test)}

        state, found = train_in_parts(ours, state, fit, order, key=key, parts=marks, look=look)
        return found | {"held back": error_at_once(ours, ours.variables(state), held_back)}

    return functools.partial(race, jax.device_put(images[:3]))


def held_back(result: dict[str, np.ndarray]) -> np.ndarray:
    """What races are tuned by."""
    return result["held back"]
