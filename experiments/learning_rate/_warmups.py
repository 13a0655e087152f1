"""Runs of a ReLU network with momentum whose learning rate is warmed up, or is not."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments import lab
from experiments.lab import rates
from jaxtricks import models, optimizers, schedules, training

NONE, CONSTANT, LINEAR = KINDS = ("no warmup", "constant warmup", "linear warmup")


@dataclasses.dataclass(frozen=True)
class Task:
    """What is learned.

    Attributes:
        data_set: digits where it is not prepared.
        pool: images from which every seed draws its training set.
        count: images of a training set, or the whole pool if that has fewer.
        hidden: rectifiers of the hidden layers.
        momentum: decay of the velocity.
        base: the rate of a constant warmup.
    """

    data_set: str = "mnist"
    pool: int = 20_000
    count: int = 4000
    hidden: tuple[int, ...] = (64, 64)
    momentum: float = 0.9
    base: float = 0.0125


@dataclasses.dataclass(frozen=True)
class Budget:
    """How many updates are made with which batches.

    Attributes:
        batch: examples of an update, or all of the training set if that has fewer.
        updates: of a run.
        warmup: how many of these are the warmup.
    """

    batch: int
    updates: int
    warmup: int


@functools.cache
def read(task: Task) -> lab.Images:
    """Its images; pixels are averaged over 2 x 2 blocks, but those of digits."""
    return lab.read(task.data_set, pool=task.pool, validation=task.count)


def count(task: Task) -> int:
    """Images of a training set that there are."""
    return min(task.count, len(read(task).pool["label"]))


def table(kind: str, peak: float, budget: Budget, base: float) -> np.ndarray:
    """The rate of each update: the peak throughout; or at first `base`; or a line up to it."""
    rate = schedules.linear_warmup(peak, budget.warmup if kind == LINEAR else 0)
    if kind == CONSTANT:
        rate = schedules.join((schedules.constant(base), rate), (budget.warmup,))
    return np.asarray(jax.vmap(rate)(jnp.arange(budget.updates)))


@functools.cache
def learner(task: Task, batch: int, *, looks: int = 1) -> Callable[..., dict[str, jax.Array]]:
    """Makes `run(key, table, pool, test)`, whose table has the rate of each update: losses on the
    training images before and after, their errors in percent at every look, and the test error at
    the end."""
    images = count(task)

    def run(key: jax.Array, table: jax.Array, pool: Any, test: Any) -> dict[str, jax.Array]:
        set_key, init_key, run_key = jax.random.split(key, 3)
        fit = lab.subset(set_key, pool, images)
        net = models.MLP((*task.hidden, 10))
        rule = optimizers.momentum(lambda count: table[count], decay=task.momentum)
        ours, start = lab.trainer(net, rule), lab.first_variables(net, init_key, fit)
        order_key, step_key = jax.random.split(run_key)
        order = lab.order_of(order_key, images, len(table), min(batch, images), whole=True)

        def look(state: training.TrainState, metrics: Any) -> dict[str, jax.Array]:
            return lab.measure(ours, ours.variables(state), fit)

        state, seen = lab.train_in_parts(
            ours, ours.init(start), fit, order, key=step_key, parts=looks, look=look
        )
        return {
            "first": lab.measure(ours, start, fit)["loss"],
            "last": seen["loss"][-1],
            "errors": seen["error"],
            "test": lab.measure(ours, ours.variables(state), test)["error"],
        }

    return run


def losses(
    task: Task, kind: str, budget: Budget, key: jax.Array, *, lowest: float, octaves: float
) -> dict[str, np.ndarray]:
    """Before and after training at all peak rates of one seed, and the test errors."""
    moved = jax.random.fold_in(key, KINDS.index(kind))
    tried = rates.moved_rates(moved, lowest, octaves)
    tables = np.stack([table(kind, peak, budget, task.base) for peak in tried])
    run, images = learner(task, budget.batch), read(task)
    found = lab.over(run, tables, key[None], (images.pool, images.test))
    return {"rates": tried, **{name: found[name][:, 0] for name in ("first", "last", "test")}}


def curve(
    task: Task, kind: str, budget: Budget, rate: float, keys: jax.Array, *, looks: int
) -> dict[str, np.ndarray]:
    """Training errors of every seed over the updates, and test errors at the end."""
    run, images = learner(task, budget.batch, looks=looks), read(task)
    rows = table(kind, rate, budget, task.base)[None]
    found = lab.over(run, rows, keys, (images.pool, images.test))
    return {name: found[name][0] for name in ("errors", "test")}
