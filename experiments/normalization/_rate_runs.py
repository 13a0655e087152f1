"""Runs of the batch-norm paper's network at many learning rates, with and without the norm."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments import lab
from experiments.engine import Estimate, Tuned, choice_variance, mean, ranked
from experiments.lab import rates
from experiments.normalization import _sigmoid_net as sigmoid_net
from experiments.normalization._sigmoid_net import ARMS, PLAIN
from jaxtricks import optimizers, training

STEPS = "log10 updates"


@dataclasses.dataclass(frozen=True)
class Task:
    """Images, the network, and how long it is trained by SGD at a constant rate.

    Attributes:
        data_set: digits where it is not prepared.
        pool: images from which every seed draws its training set.
        count: images of a training set, or the whole pool if that has fewer.
        held_back: images to choose by, and as many to judge by.
        hidden: sigmoid units of the hidden layers.
        batch: examples of an update.
        updates: of a run.
        looks: of a run, at its error.
        target: error in percent at which a run arrives.
    """

    data_set: str = "mnist"
    pool: int = 20_000
    count: int = 4000
    held_back: int = 2000
    hidden: tuple[int, ...] = (100, 100, 100)
    batch: int = 32
    updates: int = 5000
    looks: int = 100
    target: float = 10.0


@functools.cache
def read(task: Task) -> lab.Images:
    """Its images; pixels are averaged over 2 x 2 blocks, but those of digits."""
    held_back = {"validation": task.held_back, "test": task.held_back}
    return lab.read(task.data_set, pool=task.pool, **held_back)


def count(task: Task) -> int:
    """Images of a training set that there are."""
    return min(task.count, len(read(task).pool["label"]))


@functools.cache
def learner(
    task: Task, arm: str, *, looks: int, share: float = 1.0, longer: int = 1
) -> Callable[..., dict[str, jax.Array]]:
    """Makes `run(key, trial, pool, held_back)`: losses on the training images before and after, the
    errors in percent on those held back at every look, and when the target is met.

    Args:
        task: what is learned.
        arm: which network.
        looks: at the error, 2 or more.
        share: of the trial's rate.
        longer: factor of the updates.
    """
    images, updates = count(task), longer * task.updates
    every = updates // looks

    def run(key: jax.Array, trial: Any, pool: Any, held_back: Any) -> dict[str, jax.Array]:
        set_key, init_key, run_key = jax.random.split(key, 3)
        fit = lab.subset(set_key, pool, images)
        net = sigmoid_net.network(arm, {}, hidden=task.hidden)
        rule = optimizers.gradient_descent(share * trial["rate"])
        ours, start = lab.trainer(net, rule), lab.first_variables(net, init_key, fit)
        order_key, step_key = jax.random.split(run_key)
        order = lab.order_of(order_key, images, updates, task.batch, whole=True)

        def look(state: training.TrainState, metrics: Any) -> jax.Array:
            return lab.measure(ours, ours.variables(state), held_back)["error"]

        state, errors = lab.train_in_parts(
            ours, ours.init(start), fit, order, key=step_key, parts=looks, look=look
        )
        steps = rates.arrivals(errors, task.target, every)
        return {
            "first": lab.measure(ours, start, fit)["loss"],
            "last": lab.measure(ours, ours.variables(state), fit)["loss"],
            "errors": errors,
            "arrived": steps <= updates,
            STEPS: jnp.log10(steps),
        }

    return run


def losses(
    task: Task, arm: str, key: jax.Array, *, lowest: float, octaves: float
) -> dict[str, np.ndarray]:
    """Before and after training at all rates of one seed, for `lab.rates.largest_usable`."""
    tried = rates.moved_rates(jax.random.fold_in(key, ARMS.index(arm)), lowest, octaves)
    run, images = learner(task, arm, looks=2), read(task)
    found = lab.over(run, {"rate": tried}, key[None], (images.pool, images.test))
    return {"rates": tried, **{name: found[name][:, 0] for name in ("first", "last")}}


def tuned(
    task: Task, arm: str, tried: Sequence[float], *, judged: jax.Array, tuning: jax.Array
) -> dict[str, Any]:
    """When each rate arrives on the tuning seeds, and the runs of the best ones on the judged."""
    run, images = learner(task, arm, looks=task.looks), read(task)
    trials = {"rate": np.float32(tried)}
    found = lab.over(run, trials, tuning, (images.pool, images.validation))
    steps = np.asarray(found[STEPS], np.float64)
    return lab.tested(run, trials, steps, judged=judged, shared=(images.pool, images.test))


def slowed(
    task: Task,
    plain: dict[str, Any],
    *,
    judged: jax.Array,
    tuning: jax.Array,
    share: float,
    longer: int,
) -> dict[str, Any]:
    """The plain network at a small share of its best rates, for more updates; and on the tuning
    seeds when it arrives within as many, `once`, and within twice as many.

    Args:
        task: what is learned.
        plain: what `tuned` found of the plain network.
        judged: keys of the judged seeds.
        tuning: keys of the tuning seeds.
        share: of the rates.
        longer: factor of the updates.
    """
    images, (once, twice) = read(task), (longer, 2 * longer)
    run = learner(task, PLAIN, looks=task.looks, share=share, longer=once)
    shared = (images.pool, images.test)
    found = lab.tested(run, plain["trials"], plain["losses"], judged=judged, shared=shared)
    run = learner(task, PLAIN, looks=2 * task.looks, share=share, longer=twice)
    best = {"rate": np.float32([lab.best(plain).trial["rate"]])}
    more = lab.over(run, best, tuning, (images.pool, images.validation))
    every = longer * task.updates // task.looks
    steps = rates.arrivals(more["errors"][0, :, : task.looks], task.target, every)
    return found | {"once": np.log10(steps), "twice": more[STEPS][0]}


def ratio(one: Tuned, other: Tuned) -> Estimate:
    """log10 of the updates of one arm over the other's; by ranks where a run never arrived."""

    def difference(first: dict[str, Any], second: dict[str, Any]) -> np.ndarray:
        return np.asarray(first[STEPS], np.float64) - second[STEPS]

    values = difference(one.tested, other.tested)
    if not np.all([arm.tested["arrived"] for arm in (one, other)]):
        return ranked(values)
    return mean(values, choice_variance=choice_variance(difference, one, other))
