"""Three tasks whose learning rate is searched: images, a network, and how it is trained."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from experiments import lab
from experiments.engine import COLOURS, Estimate, Gate, data_name, finish
from jaxtricks import models, normalization, optimizers, schedules, training

FLOORS = {"digits": 5.0, "mnist": 7.0, "cifar10": 40.0}  # test errors in percent, at most
MOMENTUM, DECAY = 0.9, 1e-3
SEARCH, FINAL = 1, 2  # attempts of one seed: equal images, other first weights and another order
MARKERS = "os^Dvx"
EVERY = 10**6  # images to ask for: no set has as many


@dataclasses.dataclass(frozen=True)
class Task:
    """Images, a network of rectifiers, and how it is trained.

    Attributes:
        data_set: its images, of which every seed draws its own; digits where it is not prepared.
        count: images to train with.
        validation: images to choose by.
        test: images to judge by.
        convolutions: channels of the convolutions, each with a stride of 2 and with batch norm.
        hidden: units of the hidden layers behind them.
        epochs: of a whole training.
        batch: examples of an update.
        lowest: of the learning rates that are tried, by factors of 2.
        tried: how many.
    """

    data_set: str
    count: int
    validation: int
    test: int
    convolutions: tuple[int, ...] = ()
    hidden: tuple[int, ...] = ()
    epochs: int = 1
    batch: int = 50
    lowest: float = 0.001
    tried: int = 11

    @property
    def rates(self) -> list[float]:
        return [self.lowest * 2**number for number in range(self.tried)]

    def network(self) -> models.Sequential:
        layers: list[Any] = []
        for features in self.convolutions:
            convolution = models.Conv(features, strides=2, use_bias=False)
            layers += [convolution, normalization.BatchNorm(), nn.relu]
        layers.append(models.flatten)
        for units in self.hidden:
            layers += [nn.Dense(units), nn.relu]
        return models.Sequential([*layers, nn.Dense(10)])

    def start(self, key: jax.Array, images: jax.Array) -> Any:
        """The network's variables before the first update."""
        return self.network().init(key, jnp.zeros((1, *images.shape[1:])), train=False)

    def trainer(self, rate: Any) -> training.Trainer:
        """Momentum SGD with L2 on the weights; `rate` is a number or a schedule."""
        penalty = optimizers.add_l2(DECAY, mask=optimizers.weights_only)
        rule = optax.chain(penalty, optimizers.momentum(rate, decay=MOMENTUM))
        loss = training.classification_loss(self.network())
        return training.trainer(loss, rule, diagnostics=False)


TASKS = (
    Task("digits", 1000, 300, 497, hidden=(64,), epochs=60, lowest=0.002),
    Task("mnist", 4000, 5000, 10_000, hidden=(128, 128), epochs=30),
    Task("cifar10", 20_000, 5000, 10_000, (48, 64, 128), epochs=6, batch=64, tried=10),
)
SMALL_TASKS = (Task("cifar10", 500, 50, 50, (2,), (8,), lowest=0.01, tried=5),)


@functools.cache
def read(task: Task) -> tuple[Task, dict[str, np.ndarray], str]:
    """The task, all images of its set, and the name of the set.

    Pixels are averaged over 2 x 2 blocks, but those of digits. Where there are too few images, the
    task's numbers of images are smaller by one factor.
    """
    images = lab.read(task.data_set, pool=EVERY, validation=task.validation, test=EVERY)
    sets = images[:3]
    examples = {name: np.concatenate([some[name] for some in sets]) for name in sets[0]}
    numbers = {name: getattr(task, name) for name in ("count", "validation", "test")}
    share = min(1.0, len(examples["label"]) / sum(numbers.values()))
    fitting = {name: int(share * number) for name, number in numbers.items()}
    return dataclasses.replace(task, **fitting), examples, images.name


def divide(key: jax.Array, task: Task, examples: Mapping[str, Any]) -> list[dict[str, jax.Array]]:
    """What a seed trains with, chooses by and is judged by."""
    order = jax.random.permutation(jax.random.fold_in(key, 0), len(examples["label"]))
    rows = jnp.split(order, np.cumsum([task.count, task.validation, task.test]))[:3]
    return [{name: jnp.asarray(values)[own] for name, values in examples.items()} for own in rows]


def updates(task: Task, *, share: float = 1.0, longer: int = 1) -> int:
    """Of one training, see `learner`."""
    return longer * task.epochs * (round(share * task.count) // task.batch)


@functools.cache
def learner(
    task: Task, *, share: float = 1.0, longer: int = 1
) -> Callable[..., dict[str, jax.Array]]:
    """Makes `run(key, trial, examples)`: the errors in percent after a whole training.

    The rate falls from the trial's to 0 along half a cosine.

    Args:
        task: as `read` gives it.
        share: of the training images, which are used.
        longer: factor of the epochs.
    """
    count, epochs = round(share * task.count), longer * task.epochs
    steps = updates(task, share=share, longer=longer)

    def run(key: jax.Array, trial: Any, examples: Any) -> dict[str, jax.Array]:
        fit, validation, test = divide(key, task, examples)
        fit = {name: values[:count] for name, values in fit.items()}
        init_key, run_key = jax.random.split(jax.random.fold_in(key, trial["attempt"]))
        ours = task.trainer(schedules.cosine_decay(trial["rate"], steps))
        start = task.start(init_key, fit["image"])
        state, _ = lab.train(ours, start, fit, key=run_key, epochs=epochs, batch=task.batch)
        sets = {"validation": validation, "test": test}
        return {
            name: lab.measure(ours, ours.variables(state), some)["error"]
            for name, some in sets.items()
        }

    return run


def trained(
    task: Task, keys: jax.Array, rates: Sequence[float], *, attempt: int, **options: Any
) -> dict[str, np.ndarray]:
    """Errors `[rate, key]` of whole trainings; for `options` see `learner`."""
    task, examples, _ = read(task)
    trials = {"rate": np.array(rates, np.float32), "attempt": np.full(len(rates), attempt)}
    return lab.over(learner(task, **options), trials, keys, (examples,))


def by_seed(
    trials: Path,
    every: Sequence[Task],
    seeds: Sequence[int],
    keys: jax.Array,
    one: Callable[[Task, jax.Array], dict[str, Any]],
) -> dict[str, dict[str, Any]]:
    """`one(task, key)` of the first so many keys, by the images of the task; the first axis is the
    seeds.

    What is done is kept in the file `trials`, see `engine.finish`.
    """
    places = {
        f"{task.data_set}, seed {seed}": (number, seed)
        for number, task in enumerate(every)
        for seed in range(seeds[number])
    }
    found = finish(trials, places, lambda place: one(every[place[0]], keys[place[1]]))
    stacked = {}
    for task, number in zip(every, seeds, strict=True):
        fitting, _, data_set = read(task)
        rows = [found[f"{task.data_set}, seed {seed}"] for seed in range(number)]
        facts = {"data_set": data_set, "images": fitting.count, "rates": task.rates}
        stacked[task.data_set] = facts | {k: np.stack([row[k] for row in rows]) for k in rows[0]}
    return stacked


def together(name: str, rows: Sequence[tuple[bool, str]], words: str = "") -> Gate:
    """One control of all tasks, of each whether it passed and what was found."""
    return Gate(name, all(passed for passed, _ in rows), words + "; ".join(t for _, t in rows))


def inside(name: str, places: ArrayLike, rates: np.ndarray) -> tuple[bool, str]:
    """Whether no winner, given by its place, is at an end of the grid; and which rates they are."""
    chosen = rates[np.asarray(places, int)]
    least, most = chosen.min(), chosen.max()
    words = f"{name} {least:g} to {most:g} of {rates[0]:g} to {rates[-1]:g}"
    return bool(rates[0] < least and most < rates[-1]), words


def scope(every: Mapping[str, Any]) -> str:
    """What the results of `by_seed` are about."""
    images = [f"{data_name(one['data_set'])} ({one['images']:,.0f})" for one in every.values()]
    return (
        f"training images: {', '.join(images)}, of 14 x 14 and 16 x 16 pixels, digits of 8 x 8; "
        "one and two hidden layers of rectifiers, for CIFAR-10 three convolutions with batch norm; "
        f"momentum {MOMENTUM}, L2 of {DECAY}, rate falling to 0, float32"
    )


def draw_lost(
    axes: Axes,
    every: Mapping[str, Any],
    ways: Mapping[str, Sequence[Estimate]],
    *,
    effect: float,
    look: int,
) -> None:
    """Points that each way of choosing loses, an estimate for each task or for the first ones.

    `look` is the place of the first way's colour and marker.
    """
    axes.axhline(0, color="black", lw=0.8)
    axes.axhline(effect, color="black", lw=0.8, ls="--", label=f"{effect:g} point")
    for number, (way, estimates) in enumerate(ways.items()):
        style = {"color": COLOURS[look + number], "fmt": MARKERS[look + number], "capsize": 4}
        for place, found in enumerate(estimates):
            ends = [[found.value - found.low], [found.high - found.value]]
            error = None if found.saturated else ends  # which has no interval
            label = way if place == 0 else None
            axes.errorbar(place + 0.2 * (number - 1), found.value, error, label=label, **style)
    axes.set_xticks(range(len(every)), [data_name(one["data_set"]) for one in every.values()])
    axes.set(xlim=(-0.5, len(every) - 0.5), ylabel="test error lost / points")
