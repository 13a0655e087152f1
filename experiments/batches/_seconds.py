"""How many updates of gradient descent a batch size needs to a target, and the seconds of one."""

import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments import lab
from experiments.lab import tasks
from experiments.lab.tasks import Task
from jaxtricks import data, models, optimizers, training

LOOKS = 8  # an octave of updates


class Begun(NamedTuple):
    """A run before its first update.

    Attributes:
        fit: the training set.
        rows: the examples of every update, `[update, example]`.
        state: to train.
    """

    fit: dict[str, jax.Array]
    rows: jax.Array
    state: training.TrainState


class Racer(NamedTuple):
    """Plain gradient descent of one task in reshuffled batches of one size.

    Attributes:
        task: data and network.
        size: examples of an update.
        epochs: the orders of so many are drawn; a run ends with them.
    """

    task: Task
    size: int
    epochs: int

    @property
    def limit(self) -> int:
        """Updates at most."""
        return self.epochs * (tasks.data_of(self.task.data_set).sizes[0] // self.size)

    @property
    def network(self) -> models.Sequential:
        labels = tasks.data_of(self.task.data_set).examples["label"]
        return self.task.network(int(labels.max()) + 1)

    def trainer(self, rate: Any) -> training.Trainer:
        loss, rule = training.classification_loss(self.network), optimizers.gradient_descent(rate)
        return training.trainer(loss, rule, rng_streams=(), diagnostics=False)

    def begin(self, key: jax.Array, examples: Any) -> Begun:
        """The training set, the order and the first weights of a seed."""
        split_key, init_key, order_key = jax.random.split(key, 3)
        sizes = tasks.data_of(self.task.data_set).sizes
        fit = tasks.divide(split_key, examples, sizes)[0]
        first = self.network.init(init_key, jnp.zeros((1, *fit["image"].shape[1:])), train=False)

        def order(key: jax.Array) -> jax.Array:
            return data.epoch_order(key, sizes[0], self.size).indices

        rows = jax.vmap(order)(jax.random.split(order_key, self.epochs))
        return Begun(fit, rows.reshape(self.limit, self.size), self.trainer(0.0).init(first))

    def advance(
        self, begun: Begun, key: jax.Array, rate: Any, done: Any, until: Any
    ) -> training.TrainState:
        """The state after the updates from `done` to `until`."""
        step = self.trainer(rate).step

        def update(number: jax.Array, state: training.TrainState) -> training.TrainState:
            batch = {name: values[begun.rows[number]] for name, values in begun.fit.items()}
            return step(state, batch, key)[0]

        return jax.lax.fori_loop(done, until, update, begun.state)


@functools.cache
def race(racer: Racer) -> Callable[..., dict[str, jax.Array]]:
    """Makes `run(key, trial, examples, target)`, which trains at the rate of a trial to a target.

    The loss of the training set must be at the target at two looks one after another, of which the
    first counts; looks are an eighth of an octave of updates apart. Results are the log2 of the
    updates over the limit, "octaves", which is 0 of a run that does not arrive, and the way to the
    next look, "step", both in octaves.
    """
    octaves = np.arange(LOOKS * np.log2(racer.limit)) / LOOKS
    looks = jnp.asarray(np.unique([*np.ceil(2**octaves), racer.limit]), jnp.int32)

    def run(key: jax.Array, trial: Any, examples: Any, target: Any) -> dict[str, jax.Array]:
        begun = racer.begin(key, examples)
        ours = racer.trainer(trial["rate"])

        def going(carry: tuple) -> jax.Array:
            place, _, there, loss = carry
            return (place < len(looks)) & (there < 2) & (loss < tasks.WORST)

        def part(carry: tuple) -> tuple:
            place, state, there, _ = carry
            done = jnp.where(place > 0, looks[place - 1], 0)
            before = begun._replace(state=state)
            state = racer.advance(before, key, trial["rate"], done, looks[place])
            loss = lab.measure(ours, ours.variables(state), begun.fit)["loss"]
            return place + 1, state, jnp.where(loss <= target, there + 1, 0), loss

        place, _, there, _ = jax.lax.while_loop(going, part, (0, begun.state, 0, 0.0))
        first, second = looks[place - 2], looks[place - 1]
        return {
            "octaves": jnp.where(there == 2, jnp.log2(first / racer.limit), 0.0),
            "step": jnp.where(there == 2, jnp.log2(second / first), 0.0),
        }

    return run


@functools.cache
def compiled(racer: Racer) -> tuple[Callable[..., Begun], Callable[..., Any]]:
    """The two parts of a run as programs: its beginning, and updates."""
    return jax.jit(racer.begin), jax.jit(racer.advance)


def seconds(racer: Racer, *, updates: int, repeats: int, times: int) -> np.ndarray:
    """Seconds of an update, measured so many times; each is the shortest of some repeats.

    It is the mean of the first `updates`, in one compiled loop, whose compilation is left out.
    """
    key, rate = jax.random.key(0), 1e-3
    examples = tasks.data_of(racer.task.data_set).examples
    begin, advance = compiled(racer)
    begun = jax.block_until_ready(begin(key, examples))
    jax.block_until_ready(advance(begun, key, rate, 0, updates))

    def once() -> float:
        start = time.perf_counter()
        jax.block_until_ready(advance(begun, key, rate, 0, updates))
        return (time.perf_counter() - start) / updates

    return np.array([min(once() for _ in range(repeats)) for _ in range(times)])
