"""Twelve small real tasks, for what is said to be usual: data times a network, none of them twice.

Images are digits and 4,000 of MNIST; tables are breast cancer and chess endgames. Every seed
divides the examples anew.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes

from experiments.engine import (
    COLOURS,
    Estimate,
    Gate,
    Tuned,
    choice_variance,
    converged,
    data_name,
    mean,
)
from experiments.lab.images import read
from experiments.lab.race import best, over, tested
from experiments.lab.tables import read_table
from experiments.lab.train import first_variables, measure, train
from jaxtricks import models, normalization, optimizers, training

FLOORS = {"digits": 5.0, "mnist": 7.0}  # test errors in percent, at most
SHARES = (0.7, 0.15)  # of a table's or of digits' rows: to train with, and to choose by
MNIST = (4000, 2000, 5000)  # images to train with, to choose by, and to judge by
PENALTY = 1e-3  # strength of L2 on the weights
ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"ReLU": nn.relu, "tanh": nn.tanh}
WORST = 100.0  # stands for an objective that is larger or not finite
LISTED, OTHERS = "listed", "others"  # arms of a setting: what is advised, and the alternatives
MARKERS = "os^D"

Rule = Callable[[Any, int], optax.GradientTransformation]


@dataclasses.dataclass(frozen=True)
class Task:
    """A data set, a network, and how long it is trained.

    Attributes:
        data_set: "digits", "mnist" (digits where it is not prepared), or a table's name.
        convolutions: channels of the convolutions, each with a stride of 2.
        hidden: units of the hidden layers behind them; a linear model if there is neither.
        activation: "ReLU" or "tanh".
        batch_norm: whether it stands in front of every activation.
        epochs: of a whole training.
        batch: examples of an update.
    """

    data_set: str
    convolutions: tuple[int, ...] = ()
    hidden: tuple[int, ...] = ()
    activation: str = "ReLU"
    batch_norm: bool = False
    epochs: int = 30
    batch: int = 50

    @property
    def name(self) -> str:
        kind = "convolutions " if self.convolutions else ""
        layers = "-".join(map(str, (*self.convolutions, *self.hidden)))
        norm = " with batch norm" if self.batch_norm else ""
        net = f"{kind}{layers} {self.activation}{norm}" if layers else "linear"
        return f"{data_name(self.data_set)}, {net}"

    def network(self, classes: int) -> models.Sequential:
        layers: list[Any] = []
        for features in self.convolutions:
            layers += [models.Conv(features, strides=2), *self._behind()]
        layers.append(models.flatten)
        for units in self.hidden:
            layers += [nn.Dense(units), *self._behind()]
        return models.Sequential([*layers, nn.Dense(classes)])

    def _behind(self) -> list[Any]:
        norm = [normalization.BatchNorm()] if self.batch_norm else []
        return [*norm, ACTIVATIONS[self.activation]]


TASKS = (
    Task("digits", epochs=60),
    Task("digits", hidden=(64,), epochs=60),
    Task("digits", hidden=(64, 64), activation="tanh", epochs=60),
    Task("digits", (8, 16), batch_norm=True, epochs=40),
    Task("mnist", hidden=(64,)),
    Task("mnist", hidden=(64, 64), activation="tanh"),
    Task("mnist", hidden=(32, 32, 32), batch_norm=True),
    Task("mnist", (8, 16)),
    Task("breast cancer", epochs=60, batch=20),
    Task("breast cancer", hidden=(16,), epochs=60, batch=20),
    Task("chess endgames", hidden=(32,), activation="tanh", epochs=40),
    Task("chess endgames", hidden=(32, 32), batch_norm=True, epochs=40),
)
SMALL_TASKS = (Task("breast cancer", hidden=(2,), epochs=4, batch=20),) * len(TASKS)


class Data(NamedTuple):
    """All examples of a data set.

    Attributes:
        examples: "image", images or the standardised columns of a table, and "label".
        sizes: how many a seed trains with, and how many it chooses by; the others are tested.
        name: of the set that was found.
    """

    examples: dict[str, np.ndarray]
    sizes: tuple[int, int]
    name: str


@functools.cache
def data_of(data_set: str) -> Data:
    """The examples of a task's data set; pixels of MNIST are averaged over 2 x 2 blocks."""
    found = data_set
    if data_set in ("digits", "mnist"):
        train, validation, test = MNIST
        *sets, found = read(data_set, pool=train, validation=validation, test=test)
        examples = {name: np.concatenate([some[name] for some in sets]) for name in sets[0]}
        if found == "mnist":
            return Data(examples, (train, validation), found)
    else:
        inputs, target = read_table(data_set)
        inputs = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
        label = np.unique(target, return_inverse=True)[1]
        examples = {"image": np.float32(inputs), "label": np.int32(label)}
    train, validation = (round(share * len(examples["label"])) for share in SHARES)
    return Data(examples, (train, validation), found)


def divide(key: jax.Array, examples: Mapping[str, Any], sizes: tuple[int, int]) -> list[dict]:
    """What a seed trains with, chooses by and is judged by."""
    order = jax.random.permutation(key, len(examples["label"]))
    rows = jnp.split(order, np.cumsum(sizes))
    return [{name: jnp.asarray(values)[own] for name, values in examples.items()} for own in rows]


def penalty(params: Any) -> jax.Array:
    """Half the strength of L2 times the sum of the squared weights, biases left out."""
    chosen = optimizers.weights_only(params)
    squares = jax.tree.map(lambda weight, used: used * jnp.sum(weight**2), params, chosen)
    return PENALTY / 2 * sum(jax.tree.leaves(squares))


@functools.cache
def learner(task: Task, rule: Rule, *, longer: float = 1) -> Callable[..., dict[str, jax.Array]]:
    """Makes `run(key, trial, examples)`, a whole training from which four numbers come.

    These are the log10 of the "objective", which is the mean loss over the training set plus the
    penalty, that of the mean loss over the test set, and the errors in percent of validation and
    test. What is not finite has an objective and a loss of 100.

    Args:
        task: data and network.
        rule: `(trial, updates) -> update rule`, a function that is made once.
        longer: factor of the epochs.
    """
    data = data_of(task.data_set)
    epochs = round(longer * task.epochs)
    updates = epochs * (data.sizes[0] // task.batch)
    net = task.network(int(data.examples["label"].max()) + 1)

    def run(key: jax.Array, trial: Any, examples: Any) -> dict[str, jax.Array]:
        split_key, init_key, run_key = jax.random.split(key, 3)
        fit, validation, test = divide(split_key, examples, data.sizes)
        loss = training.classification_loss(net)
        ours = training.trainer(
            loss, rule(trial, updates), penalty=penalty, rng_streams=(), diagnostics=False
        )
        start = first_variables(net, init_key, fit)
        state, _ = train(ours, start, fit, key=run_key, epochs=epochs, batch=task.batch)
        fitted, held_back, unseen = (
            measure(ours, ours.variables(state), some) for some in (fit, validation, test)
        )
        objective = fitted["loss"] + penalty(state.params)
        return {
            "objective": jnp.log10(jnp.where(objective < WORST, objective, WORST)),  # NaN too
            "test loss": jnp.log10(unseen["loss"]),
            "validation error": held_back["error"],
            "test error": unseen["error"],
        }

    return run


def numbered(every: Sequence[Task]) -> dict[str, Task]:
    """The tasks by number and name."""
    return {f"{number}: {task.name}": task for number, task in enumerate(every, 1)}


def lost(setting: Mapping[str, Any], metric: str) -> Estimate:
    """What the listed arm of a setting has more than the others' best on the judged seeds."""
    return more(metric, *(best(setting[name], name=name) for name in (LISTED, OTHERS)))


def more(metric: str, first: Tuned, second: Tuned) -> Estimate:
    """What the first has more than the second on the judged seeds, its choices resampled."""

    def difference(first: Any, second: Any) -> np.ndarray:
        return first[metric] - second[metric]

    values = difference(first.tested, second.tested)
    return mean(values, choice_variance=choice_variance(difference, first, second))


def compare(
    task: Task,
    rule: Rule,
    trials: Mapping[str, np.ndarray],
    listed: np.ndarray,
    *,
    loss: str,
    metric: str,
    tuning: jax.Array,
    judged: jax.Array,
    longer: float = 1,
) -> dict[str, Any]:
    """One setting: the listed trials and the others as two arms, each tuned and judged.

    Each arm also has "doubled", `[2, tuning seed]`: the metric of its best trial, once and at twice
    the updates.

    Args:
        task: data and network.
        rule: see `learner`, like `longer`.
        trials: hyper-parameters, arrays whose first axis is the trials.
        listed: which of these belong to the listed arm, shape [trial].
        loss: the result that is to be small on the tuning seeds.
        metric: the result that shows whether training has converged.
        tuning: keys of the tuning seeds.
        judged: keys of the judged seeds.
        longer: factor of the epochs.
    """
    data = data_of(task.data_set)
    once, twice = (learner(task, rule, longer=factor * longer) for factor in (1, 2))
    tried = over(once, trials, tuning, (data.examples,))
    setting: dict[str, Any] = {"data_set": data.name, "setting": task.name}
    setting |= {"examples": data.sizes[0], "batch": task.batch}
    for name, rows in ((LISTED, listed), (OTHERS, ~listed)):
        own = {key: values[rows] for key, values in trials.items()}
        arm = tested(once, own, tried[loss][rows], judged=judged, shared=(data.examples,))
        chosen = best(arm)
        one = {key: np.asarray(value)[None] for key, value in chosen.trial.items()}
        longer_runs = over(twice, one, tuning, (data.examples,))[metric][0]
        arm["doubled"] = np.stack([tried[metric][rows][chosen.best], longer_runs])
        setting[name] = arm
    jax.clear_caches()  # the next setting has programs of its own; memory maps would run out
    return setting


def converges(settings: Mapping[str, Any], *, effect: float) -> Gate:
    """`conv` of every setting, and the floors: the network of the best alternative is a good one.

    Args:
        settings: by name, from `compare`.
        effect: the smallest effect that matters (δ).
    """
    failed, moves, errors = [], [], []
    for name, setting in settings.items():
        once, twice = np.asarray(setting[OTHERS]["doubled"])
        moves.append(float(np.mean(twice) - np.mean(once)))
        errors.append(float(np.mean(best(setting[OTHERS]).tested["test error"])))
        floor = FLOORS.get(setting["data_set"], 100.0)
        if not converged(once, twice, effect=effect).passed or errors[-1] > floor:
            failed.append(f"{name} ({moves[-1]:.2g}, test error {errors[-1]:.3g} %)")
    return Gate(
        "conv",
        not failed,
        f"twice the updates move the best alternatives by {min(moves):.2g} to {max(moves):.2g} (δ "
        f"{effect:g}), test errors {min(errors):.3g} to {max(errors):.3g} %; failed: "
        f"{'; '.join(failed) or 'none'}",
    )


def inside(found: Mapping[str, Tuned], name: str) -> Gate:
    """`edge`: no winner has the least or the greatest value that was tried of one grid."""
    ends = [place for place, tuned in found.items() if name in tuned.at_edge]
    text = f"{name} at an end: {', '.join(ends)}" if ends else f"no winner at an end of the {name}s"
    return Gate("edge", not ends, text)


def data_set(settings: Mapping[str, Any]) -> str:
    """The largest data set of the settings: MNIST, or digits where it is not prepared."""
    names = {setting["data_set"] for setting in settings.values()}
    return next((name for name in ("mnist", "digits") if name in names), min(names))


def scope(settings: Mapping[str, Any]) -> str:
    """What the results are about."""
    sizes = {
        f"{setting['examples']:,.0f} of {data_name(setting['data_set'])} (batches of "
        f"{setting['batch']:.0f})": None
        for setting in settings.values()
    }
    return (
        f"{len(settings)} settings: {'; '.join(settings)}; training examples: {', '.join(sizes)}, "
        f"images of MNIST averaged to 14 x 14; L2 of {PENALTY:g}, float32"
    )


def draw_lost(axes: Axes, found: Mapping[str, Estimate]) -> None:
    """An estimate for each setting by its name, one below the other."""
    rows = np.arange(len(found))[::-1]
    values = np.array([one.value for one in found.values()])
    ends = np.array([one.value if one.saturated else one.high for one in found.values()]) - values
    axes.errorbar(values, rows, xerr=ends, fmt="o", color=COLOURS[0], capsize=3)
    axes.set_yticks(rows, list(found))
