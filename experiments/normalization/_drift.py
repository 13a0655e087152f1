"""How far the outputs of a hidden layer move while a network learns."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from experiments import lab
from experiments.lab.starts import one_of
from jaxtricks import data, initializers, models, optimizers, probes, training
from jaxtricks.normalization import BatchNorm

BATCH = 32
PERCENTILES = (15.0, 50.0, 85.0)
ACTIVATIONS = {"sigmoid": nn.sigmoid, "tanh": jnp.tanh, "ReLU": nn.relu}
SIDE = 8  # pixels
LEAST = 1e-6  # spread of a unit


@functools.cache
def watcher(
    block: Callable[..., Any], sizes: tuple[int, ...], *, steps: int, looks: int
) -> Callable[..., dict[str, np.ndarray]]:
    """Makes `watch(fit, seen, key, rate, activation)`, compiled once for all of them.

    It trains by SGD from Xavier's start, or He's for ReLU, and gives percentiles `[look, level,
    unit]` of what the last hidden layer's activations are "given" for the images `seen`, with batch
    norm those of the "normalised" values too, before scale and bias, and the final loss on `fit`.
    Batch norm takes the statistics of `seen`, as of any batch in training.
    """
    last = len(sizes) - 2

    @jax.jit
    def watch(fit: Any, seen: jax.Array, key: jax.Array, rate: Any, number: Any) -> Any:
        def activation(x: jax.Array) -> jax.Array:
            return jax.lax.switch(number, list(ACTIVATIONS.values()), x)

        xavier, he = initializers.xavier(), initializers.he()
        start = one_of((xavier, xavier, he), number)
        net = models.MLP(sizes, activation=activation, block=block, kernel_init=start)
        ours = lab.trainer(net, optimizers.gradient_descent(rate))
        init_key, order_key = jax.random.split(key)
        state = ours.init(lab.first_variables(net, init_key, fit))
        order = lab.order_of(order_key, len(fit["label"]), steps, BATCH)

        def look(state: Any, rows: Any) -> tuple[Any, dict[str, jax.Array]]:
            given = pre_activations(net, ours.variables(state), seen, last)
            state, _ = training.train_epoch(ours, state, fit, rows, key=key)
            levels = jnp.array(PERCENTILES)
            return state, {n: jnp.percentile(x, levels, axis=0) for n, x in given.items()}

        parts = jax.tree.map(lambda x: x.reshape(looks, -1, BATCH), order)
        state, found = jax.lax.scan(look, state, parts)
        sums = ours.evaluate(ours.variables(state), fit)
        return found | {"loss": sums["loss"] / sums["weight"]}

    return lambda *given: jax.device_get(watch(*given))


def pre_activations(
    net: models.MLP, variables: Any, x: jax.Array, layer: int
) -> dict[str, jax.Array]:
    """What a layer's activations are given, and the same without the norm's scale and bias."""
    kind = BatchNorm if "batch_stats" in variables else nn.Dense
    name = f"{kind.__name__}_{layer}"
    given = probes.layer_values(net, variables, x, train=True, layers=kind)[name]
    if kind is nn.Dense:
        return {"given": given}
    norm = variables["params"][name]
    # Where a unit's scale comes near 0, what it multiplies is found with little precision.
    return {"given": given, "normalised": (given - norm["bias"][None]) / norm["scale"][None]}


def standardised(
    images: dict[str, np.ndarray], test: dict[str, np.ndarray], seen: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Flat images, each pixel by its own statistics, and those of the test to look at."""
    flat, other = (np.float32(part["image"]).reshape(len(part["label"]), -1)
                   for part in (images, test))  # fmt: skip
    scale = data.standardize(flat)
    return {**images, "image": np.asarray(scale.apply(flat))}, np.asarray(scale.apply(other[:seen]))


def small_grey(name: str, count: int, seen: int) -> tuple[dict[str, np.ndarray], np.ndarray, str]:
    """Standardised grey images of 8 x 8 pixels, those to look at, and the set's name."""
    fit, _, test, title = lab.split(name, count, halve=False)

    def grey(part: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        pixels = np.float32(part["image"].mean(axis=3, keepdims=True))
        return {**part, "image": np.asarray(data.resize(pixels, (SIDE, SIDE)))}

    return *standardised(grey(fit), grey(test), seen), title


def spread_of(percentiles: np.ndarray) -> np.ndarray:
    """Half of the 85th minus the 15th percentile, `[look, unit]`."""
    return (percentiles[:, 2] - percentiles[:, 0]) / 2


def drift(percentiles: np.ndarray) -> float:
    """Deviation over time of a unit's median over its mean spread; mean of all units."""
    spread = np.maximum(spread_of(percentiles).mean(axis=0), LEAST)
    return float((percentiles[:, 1].std(axis=0) / spread).mean())


def unrest(percentiles: np.ndarray) -> float:
    """Deviation over time of a unit's spread over its mean; mean of all units."""
    spread = spread_of(percentiles)
    return float((spread.std(axis=0) / np.maximum(spread.mean(axis=0), LEAST)).mean())


def shift(percentiles: np.ndarray) -> float:
    """Farthest that a unit's median comes from its first value over its mean spread; mean of all.

    Above 1 it has left the range that it began with.
    """
    spread = np.maximum(spread_of(percentiles).mean(axis=0), LEAST)
    middle = percentiles[:, 1]
    return float((np.abs(middle - middle[0]).max(axis=0) / spread).mean())
