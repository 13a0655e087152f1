"""Images and tables whose halves are divided anew by every run, and what trains on them by SGD."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments import engine, lab
from experiments.engine import Tuned
from jaxtricks import data, models, optimizers

RAW, UNIT, STANDARDISED = "as they are", "from 0 to 1", "standardised"
TABLES = {"breast_cancer": "breast cancer", "wine_data": "wine"}
IMAGES = "images"
Way = Callable[[np.ndarray], Callable[[np.ndarray], Any]]
WAYS: dict[str, Way] = {
    RAW: lambda fit: lambda x: x,
    UNIT: lambda fit: lambda x: x / np.float32(255),
    STANDARDISED: lambda fit: data.standardize(fit).apply,
}


class Task(NamedTuple):
    """Rows `[example, feature]`, their classes, and what may be done to the rows."""

    x: np.ndarray
    label: np.ndarray
    ways: tuple[str, ...]


def read_tasks(wanted: str, count: int) -> tuple[dict[str, Task], str]:
    """`count` images and the two tables by name, and the name of the images' set."""
    images, _, _, name = lab.split(wanted, count, validation=0.0)
    pixels = np.float32(images["image"].reshape(len(images["label"]), -1))
    found = {IMAGES: Task(pixels, np.int32(images["label"]), tuple(WAYS))}
    return found | {title: read_table(file) for file, title in TABLES.items()}, name


def read_table(file: str) -> Task:
    """One of the tables that come with scikit-learn, whose import would take seconds."""
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise ImportError("the tables need scikit-learn: install jaxtricks[data].")
    path = Path(package.origin).with_name("datasets") / f"data/{file}.csv"
    rows = np.loadtxt(path, delimiter=",", skiprows=1)
    return Task(np.float32(rows[:, :-1]), np.int32(rows[:, -1]), (RAW, STANDARDISED))


def split_and_race(
    race: Callable[..., jax.Array], task: Task, way: Way, half: np.ndarray, key: jax.Array,
    rate: Any,
) -> jax.Array:  # fmt: skip
    """One run: two thirds of the half, drawn by the key, to train with, and one to test."""
    split_key, race_key = jax.random.split(key)
    places = half[np.asarray(jax.random.permutation(split_key, len(half)))]
    parts = np.split(places, [2 * len(half) // 3])
    apply = way(task.x[parts[0]])
    fit, test = ({"image": apply(task.x[p]), "label": task.label[p]} for p in parts)
    return race(fit, test, race_key, rate)


def racer(
    hidden: int, classes: int, *, steps: int, every: int, batch: int
) -> Callable[..., jax.Array]:
    """Makes what trains by SGD and gives the test error in percent after `every` updates each.

    A run that ends in NaN has an error of 100 %.
    """
    net = models.MLP((hidden, classes))

    @jax.jit
    def race(fit: Any, test: Any, key: jax.Array, rate: jax.Array) -> jax.Array:
        init_key, order_key = jax.random.split(key)
        ours = lab.trainer(net, optimizers.gradient_descent(rate))
        state = ours.init(lab.first_variables(net, init_key, fit))
        order = lab.order_of(order_key, len(fit["label"]), steps, batch)

        def look(state: Any, metrics: Any) -> jax.Array:
            del metrics
            return lab.error_at_once(ours, ours.variables(state), test)

        parts = steps // every
        return lab.train_in_parts(ours, state, fit, order, key=key, parts=parts, look=look)[1]

    return race


def choose(
    tuning: np.ndarray, judged: Callable[[int], np.ndarray], measure: Callable[..., np.ndarray]
) -> dict[str, Any]:
    """The trial of the least mean measure, and those that resampled tuning seeds choose.

    Args:
        tuning: errors `[trial, tuning seed, look]`.
        judged: the errors of a trial on the seeds that are judged, `[seed, look]`.
        measure: what is made small, of errors.
    """
    losses = measure(tuning)
    found = engine.choose(losses, np.arange(len(losses)), lambda trial: measure(judged(trial)))
    others = {str(i): values for i, values in found.others.items()}
    return {"tuning": losses, "best": found.best, "again": found.again, "others": others}


def chosen(found: dict[str, Any], rates: np.ndarray) -> Tuned:
    """What `choose` found, as tuning gives it."""
    others = {int(i): np.asarray(values) for i, values in found["others"].items()}
    best = int(found["best"])
    edge = ("rate",) if best in (0, len(rates) - 1) else ()
    again, losses = np.asarray(found["again"], int), np.asarray(found["tuning"])
    return Tuned(losses, best, rates[best], others[best], edge, again, others)
