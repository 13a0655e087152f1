"""One network whose rate and decay are searched, on a training set that every seed draws anew."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes

from experiments import lab
from experiments.engine import COLOURS, Gate, data_name, interval
from jaxtricks import models, optimizers, training, tuning

MOMENTUM = 0.9
DIVERGED = 100.0  # the validation error of a run whose loss is not finite
EDGE = 0.05  # of an interval's decades, at either end
FLOORS = {"mnist": 7.0, "digits": 5.0}  # test errors in percent that the winners must get under
SPACE = {"rate": tuning.log_uniform(1e-3, 10.0), "decay": tuning.log_uniform(1e-6, 0.1)}
SETTINGS = {
    "rule": "momentum 0.9 at a constant rate, L2 of the weights in the gradient",
    "space": "rate 1e-3 ... 10 around 0.1, decay 1e-6 ... 0.1",
    "choice": "least validation error, the first of equals; diverged runs count as 100 %",
    "floors": FLOORS,
}
AT_EDGE = (
    "no winner within 5 % of the decades of an interval's end; the lower end of the decay is none: "
    "1e-6 takes under 1 % of a weight in a run at any rate that wins"
)

Sets = tuple[Any, Any, Any]
Run = Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Task:
    """`count`: images that a seed draws from the `pool` to train with; `hidden`: units."""

    data_set: str = "mnist"
    pool: int = 40_000
    validation: int = 2000
    test: int = 10_000
    count: int = 4000
    hidden: int = 100
    batch: int = 64


SMOKE: dict[str, Any] = {
    "data_set": "digits",
    "pool": 800,
    "validation": 200,
    "test": 200,
    "count": 200,
    "hidden": 8,
}


@dataclasses.dataclass(frozen=True)
class Rounds(Task):
    """`trials`: of each search, for `short` epochs in a coarse one and for `long` in a fine one;
    `keep`: trials that the next search lies around; `fresh`: keys with which a winner is trained
    again."""

    trials: int = 100
    short: int = 5
    long: int = 20
    keep: int = 10
    fresh: int = 6
    seeds: int = 10


SMOKE_ROUNDS: dict[str, Any] = {
    **SMOKE,
    "trials": 8,
    "short": 1,
    "long": 2,
    "keep": 4,
    "fresh": 2,
    "seeds": 2,
}


def prepared(task: Task) -> tuple[lab.Images, Run, dict[str, Any]]:
    """The images, `learn` of `learner`, and what a record says of the task."""
    images = lab.read(task.data_set, pool=task.pool, validation=task.validation, test=task.test)
    learn = learner(images.pool, hidden=task.hidden, batch=task.batch)
    sizes = {"count": task.count, "hidden": task.hidden, "batch": task.batch}
    return images, learn, {"data_set": images.name, **sizes}


def scope(results: dict[str, Any], searched: str) -> str:
    """The scope of a verdict, from a record."""
    return (
        f"{data_name(results['data_set'])}, {results['count']:.0f} images a seed averaged to "
        f"14 x 14 (digits 8 x 8), {results['hidden']:.0f} hidden rectifiers, momentum 0.9 at a "
        f"constant rate, batch {results['batch']:.0f}, {searched}, float32"
    )


def learner(pool: lab.images.Examples, *, hidden: int, batch: int) -> Run:
    """Makes `learn(key, trial, position, epochs, fit, validation, test)`, as `search` wants it.

    It gives the validation "error" after each epoch and the "test error" at the end, both in
    percent, and the position from which it goes on. Pixels are standardised by those of `pool`.
    """
    pixels = np.float32(pool["image"])
    mean, deviation = float(pixels.mean()), float(pixels.std())
    net = models.MLP((hidden, 10), activation=nn.relu)
    loss = training.classification_loss(
        net, preprocess=lambda images: (jnp.float32(images) - mean) / deviation
    )

    def learn(
        key: jax.Array, trial: Any, position: Any, epochs: int, fit: Any, validation: Any, test: Any
    ) -> tuple[dict[str, jax.Array], Any]:
        init_key, run_key = jax.random.split(key)
        decay = trial["decay"] + 0 * trial.get("idle", 0.0)  # a search refuses what no run takes
        rule = optax.chain(
            optimizers.add_l2(decay, mask=optimizers.weights_only),
            optimizers.momentum(trial["rate"], decay=MOMENTUM),
        )
        ours = training.trainer(loss, rule, diagnostics=False)
        if position is None:
            shape = (1, *fit["image"].shape[1:])
            position = ours.init(net.init(init_key, jnp.zeros(shape), train=False))
        ended = training.run(
            ours, position, fit, validation, key=run_key, epochs=epochs, batch_size=batch
        )
        finite = jnp.isfinite(ended.validation["loss"])
        wrong = 100 * (1 - ended.validation["accuracy"])
        tested = lab.measure(ours, ours.variables(ended.position.state), test)
        error = jnp.where(finite, wrong, DIVERGED)
        return {"error": error, "test error": tested["error"]}, ended.position

    return learn


def for_epochs(learn: Run, epochs: int) -> Run:
    """Makes the run of a search in which all trials are trained for so many epochs."""

    def run(key: jax.Array, trial: Any, *sets: Any) -> dict[str, jax.Array]:
        return learn(key, trial, None, epochs, *sets)[0]

    return run


def sets(key: jax.Array, images: lab.Images, count: int) -> Sets:
    """A seed's own training images, and those to choose by and to test with, which all share."""
    fit = jax.device_get(lab.subset(key, images.pool, count))
    return fit, images.validation, images.test


def first(found: tuning.Search, trials: int) -> tuning.Search:
    """The search that would have ended after so many trials."""
    return jax.tree.map(lambda values: values[:trials], found)


def again(best: tuning.Best, run: Run, keys: jax.Array, some: Sets) -> dict[str, Any]:
    """A winner, and its mean test error with fresh keys, which luck has not chosen."""
    found = tuning.retrain(keys, run, best.hyper_parameters, shared=some, by="test error")
    return {**best.hyper_parameters, "validation error": best.score, "test error": found.mean}


def inside(winners: Mapping[str, Mapping[str, np.ndarray]]) -> Gate:
    """`edge`: no winner lies at an end of the space, see `AT_EDGE`."""
    ends = []
    for name, values in winners.items():
        rate, decay = (place(SPACE[axis], values[axis]) for axis in ("rate", "decay"))
        at_end = (rate < EDGE) | (rate > 1 - EDGE) | (decay > 1 - EDGE)
        ends += [f"{name}, seed {seed}" for seed in np.flatnonzero(at_end)]
    text = f"at an end: {'; '.join(ends)}" if ends else "no winner at an end of the coarse space"
    return Gate("edge", not ends, text)


def place(interval: Any, values: Any) -> np.ndarray:
    """Where values lie in a logarithmic interval: 0 at its lower end, 1 at its upper one."""
    return np.log(np.asarray(values) / interval.low) / np.log(interval.high / interval.low)


def reaches(data_set: str, errors: np.ndarray) -> Gate:
    """`floor`: the network has learned the task."""
    floor, error = FLOORS[data_set], float(np.mean(errors))
    return Gate("floor", error <= floor, f"test error {error:.2f} %, {floor:g} allowed")


def stacked(found: list[Any]) -> Any:
    """Results of several seeds as one tree, the seeds in front."""
    return jax.tree.map(lambda *values: np.stack(values), *found)


def draw_winners(axes: Axes, errors: Mapping[str, np.ndarray]) -> None:
    """Test errors of the arms' winners: a line for each seed, the mean and its interval."""
    rows = np.stack(list(errors.values()))
    mean, low, high = np.array([interval(row) for row in rows]).T
    axes.plot(rows, color="0.7", lw=0.8)
    places = range(len(rows))
    axes.errorbar(places, mean, (mean - low, high - mean), fmt="o", color=COLOURS[0], capsize=4)
    axes.set_xticks(places, list(errors))
    axes.set(xlim=(-0.3, len(rows) - 0.7), ylabel="test error / %")
    axes.set_title(f"winners trained again: {rows.shape[1]} seeds, mean, 95 %")
