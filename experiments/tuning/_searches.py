"""One network whose rate and decay are searched, on a training set that every seed draws anew."""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import lab
from experiments.engine import Gate
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
        rule = optax.chain(
            optimizers.add_l2(trial["decay"], mask=optimizers.weights_only),
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
