"""Races: one network, one number of updates, any rule, and what was learned after each part."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import networks
from jaxtricks import training

BATCH = 32
Rule = Callable[[Any], optax.GradientTransformation]


class Images(NamedTuple):
    """Examples to train with, to choose by and to test with, and the name of the set."""

    fit: networks.Examples
    held_back: networks.Examples
    test: networks.Examples
    name: str


def read(wanted: str, count: int) -> Images:
    """`count` images of `wanted` or else digits, a fifth of them to choose by; at most 2,000 to
    test with. Means over 2 x 2 pixels."""
    (fit, held_back, test), name = networks.read_images(wanted, count)
    return Images(fit, held_back, {key: rows[:2000] for key, rows in test.items()}, name)


def racer(
    model: nn.Module | Callable[[Any], nn.Module],
    images: Images,
    rule: Rule,
    *,
    steps: int,
    marks: int = 20,
    batch: int = BATCH,
    rng_streams: Sequence[str] = (),
) -> Callable[[jax.Array, Any], dict[str, jax.Array]]:
    """Makes `race(key, trial)`, compiled; `rule(trial)` is the optimizer.

    The model may be a function of the trial too. `rng_streams`: what it draws, such as "dropout".

    A race is `steps` updates in `marks` equal parts. It gives the mean "loss" of each part's
    batches and the test "error" in percent after it, both `[mark]`, and the error on the
    "held back" images at the end, to choose by. A run that ends in NaN has an error of 100 %, and
    losses are 100 at most. The key decides the first weights and the order of the examples.
    """

    def error(
        ours: training.Trainer, state: training.TrainState, some: networks.Examples
    ) -> jax.Array:
        sums = ours.evaluate(ours.variables(state), some)
        wrong = 100 * (1 - sums["accuracy"] / sums["weight"])
        return jnp.where(jnp.isfinite(sums["loss"]), wrong, 100.0)

    @jax.jit
    def race(given: tuple[networks.Examples, ...], key: jax.Array, trial: Any) -> dict:
        fit, held_back, test = given
        init_key, order_key = jax.random.split(key)
        net = model if isinstance(model, nn.Module) else model(trial)
        ours = networks.trainer(net, rule(trial), rng_streams)
        state = ours.init(networks.first_variables(net, init_key, fit))
        order = networks.order_of(order_key, len(fit["label"]), steps, batch)

        def part(state: training.TrainState, rows: Any) -> tuple[Any, dict[str, jax.Array]]:
            state, metrics = training.train_epoch(ours, state, fit, rows, key=key)
            mean = jnp.mean(metrics["loss"])
            loss = jnp.where(mean < 100, mean, 100.0)
            return state, {"loss": loss, "error": error(ours, state, test)}

        parts = jax.tree.map(lambda x: x.reshape(marks, -1, batch), order)
        state, found = jax.lax.scan(part, state, parts)
        return found | {"held back": error(ours, state, held_back)}

    return functools.partial(race, jax.device_put((images.fit, images.held_back, images.test)))


def held_back(result: dict[str, np.ndarray]) -> np.ndarray:
    """What races are tuned by."""
    return result["held back"]
