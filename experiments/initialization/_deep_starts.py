"""Deep networks of ReLU layers, from any start, trained by Adam."""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import lab
from experiments.engine import COLOURS
from jaxtricks import initializers, models, optimizers, probes, training

GRADIENT, STEPS, END = "gradient", "steps", "loss"
FEW = 1000  # training images that are looked at


@dataclasses.dataclass(frozen=True)
class Start:
    """One of the library's initialisers, by name, with its options, and how it is drawn.

    `advised`: whether the claim says that it is the best.
    """

    family: str
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    advised: bool = False
    color: str = COLOURS[0]
    linestyle: str = "-"


def trial(rates: Any, *, gain: float = 1.0, start: int = 0) -> dict[str, np.ndarray]:
    """Hyper-parameters of a run, for each rate."""
    size = len(rates)
    return {"rate": rates, "gain": np.full(size, gain, np.float32), "start": np.full(size, start)}


def learner(config: Any, depth: int) -> Callable[..., dict[str, jax.Array]]:
    """Makes `run(key, trial, pool, judging)`: one program for all starts and scales.

    It gives the gradient's ratio before the first update, the updates to the target, the training
    loss at the end, and the error on the set to judge by at every look.

    Args:
        config: with `starts`, `width`, `count`, `epochs`, `batch`, `every` and `target`.
        depth: hidden layers.
    """
    starts = [getattr(initializers, s.family)(**s.options) for s in config.starts.values()]

    def run(key: jax.Array, trial: Any, pool: Any, judging: Any) -> dict[str, jax.Array]:
        set_key, init_key, run_key = jax.random.split(key, 3)
        fit = lab.subset(set_key, pool, config.count)
        start = lab.one_of(starts, trial["start"])

        def scaled(*given: Any, **options: Any) -> jax.Array:
            return trial["gain"] * start(*given, **options)

        net = models.MLP((*[config.width] * depth, 10), kernel_init=scaled)
        ours = lab.trainer(net, optimizers.adam(trial["rate"]))
        few = {name: values[:FEW] for name, values in fit.items()}
        variables = lab.first_variables(net, init_key, fit)

        def look(state: training.TrainState) -> tuple[jax.Array, jax.Array]:
            now = ours.variables(state)
            return lab.measure(ours, now, few)["loss"], lab.measure(ours, now, judging)["error"]

        options = {"epochs": config.epochs, "batch": config.batch, "every": config.every}
        _, (losses, errors) = lab.train(ours, variables, fit, key=run_key, look=look, **options)
        below = losses <= config.target
        reached = below & jnp.append(below[1:], False)
        looks = jnp.where(jnp.any(reached), 1 + jnp.argmax(reached), len(losses))
        updates = config.every * (config.count // config.batch)
        passed = gradient_ratio(net, variables, few, depth)
        return {GRADIENT: passed, STEPS: looks * updates, END: losses[-1], "error": errors}

    return run


def gradient_ratio(net: nn.Module, variables: Any, examples: Any, depth: int) -> jax.Array:
    """log2 of the gradient's rms at the first hidden layer's output over that at the last's."""

    def loss(logits: jax.Array) -> jax.Array:
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, examples["label"])
        return jnp.mean(losses)

    images = jnp.float32(examples["image"]) / 255
    found = probes.layer_gradients(loss, net, variables, images, layers=nn.Dense, train=False)
    first, last = (probes.statistics(found[f"Dense_{layer}"]).rms for layer in (0, depth - 1))
    return jnp.log2(first / last)
