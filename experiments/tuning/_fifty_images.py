"""Three small networks that learn a handful of images by heart, and the verdicts on their runs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import lab
from experiments.engine import data_name
from jaxtricks import models, normalization, optimizers, training
from jaxtricks.tuning import _overfit

MOMENTUM = 0.9
VERDICTS = tuple(_overfit.ADVICE)  # the number of a verdict is its place
LEARNED, SLOW, FLAT, DEAD, EXPLODED = map(
    VERDICTS.index, ("learned", "slow", "flat", "dead", "exploded")
)


def convolutions(*features: int, hidden: int) -> models.Sequential:
    """Convolutions of stride 2, each with batch norm, and a dense layer in front of the logits."""
    layers: list[Any] = []
    for size in features:
        convolution = models.Conv(size, strides=2, use_bias=False)
        layers += [convolution, normalization.BatchNorm(), nn.relu]
    return models.Sequential([*layers, models.flatten, nn.Dense(hidden), nn.relu, nn.Dense(10)])


RELU = "one ReLU layer"
TANH = "four tanh layers"
NETWORKS = {
    RELU: models.MLP((100, 10)),
    "convolutions with batch norm": convolutions(8, 16, hidden=64),
    TANH: models.MLP((64, 64, 64, 64, 10), activation=nn.tanh),
}


class Code(NamedTuple):
    """Where training code differs from the right one.

    Attributes:
        loss: makes the loss of a network.
        rule: makes the update rule of momentum SGD.
        start: makes the first variables of those that were drawn.
        examples: makes the examples of those that were drawn, whose pixels are 0 to 255.
        augment: what an update does to its batch; None is nothing.
        trainable: which parameters are trained; None is all.
    """

    loss: Callable[[nn.Module], training.Loss] = training.classification_loss
    rule: Callable[[optax.GradientTransformation], optax.GradientTransformation] = lambda rule: rule
    start: Callable[[Any], Any] = lambda variables: variables
    examples: Callable[[jax.Array, Any], Any] = lambda key, examples: examples
    augment: Callable[[jax.Array, Any], Any] | None = None
    trainable: Callable[[Any], Any] | None = None


def learner(
    network: str, code: Code, *, images: int, updates: int
) -> Callable[..., dict[str, dict[str, jax.Array]]]:
    """Makes `run(key, trial, pool)`: momentum SGD on some images, all of them in each update.

    The key draws the images, what the code draws, and the weights. A run gives the metrics of each
    update in training, and those of evaluation at the end.
    """
    net = NETWORKS[network]

    def run(key: jax.Array, trial: Any, pool: Any) -> dict[str, dict[str, jax.Array]]:
        rows_key, code_key, init_key, step_key = jax.random.split(key, 4)
        examples = code.examples(code_key, lab.subset(rows_key, pool, images))
        rule = code.rule(optimizers.momentum(trial["rate"], decay=MOMENTUM))
        ours = training.trainer(
            code.loss(net), rule, augment=code.augment, trainable=code.trainable
        )
        blank = jnp.zeros((1, *examples["image"].shape[1:]))
        first = ours.init(code.start(net.init(init_key, blank, train=False)))

        def update(state: training.TrainState, _: None) -> tuple[training.TrainState, Any]:
            return ours.step(state, examples, step_key)

        state, metrics = jax.lax.scan(update, first, length=updates)
        kept = {name: metrics[name] for name in ("loss", "gradient_norm", "accuracy")}
        ended = training.evaluate(ours, ours.variables(state), examples, images)
        return {"metrics": kept, "ended": ended}

    return run


def verdicts(found: dict[str, dict[str, np.ndarray]]) -> np.ndarray:
    """The numbers of the verdicts on runs `[rate, key]`, by the rules of `check_overfit`."""
    ended = found["ended"]
    metrics = {name: np.float64(values) for name, values in found["metrics"].items()}
    numbers = np.empty(ended["loss"].shape, int)
    for run in np.ndindex(numbers.shape):
        curves = {name: values[run] for name, values in metrics.items()}
        verdict = _overfit.judge(curves, ended["loss"][run], ended["accuracy"][run])
        numbers[run] = VERDICTS.index(verdict)
    return numbers


def keys_of(keys: jax.Array, networks: tuple[str, ...]) -> dict[str, jax.Array]:
    """The units of each network: they take turns."""
    return {name: keys[place :: len(networks)] for place, name in enumerate(networks)}


def scope_of(results: dict[str, Any]) -> str:
    """Data, networks, updates and precision of a study's `results`."""
    units = ", ".join(f"{name} ({count:.0f})" for name, count in results["units"].items())
    return (
        f"{results['images']:.0f} images of {data_name(results['data_set'])} a unit, 16 x 16 "
        f"pixels (digits 8 x 8), units of three networks: {units}; {results['updates']:.0f} "
        f"updates with all images, momentum {MOMENTUM:g}, float32"
    )
