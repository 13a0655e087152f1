"""A small net on handwritten digits, trained as one scan: map it over rates and seeds."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxtricks import data

BATCH = 32
Params = list[tuple[jax.Array, jax.Array]]


class Examples(NamedTuple):
    """`x`: flat images, 0 to 1, one a row; `y`: their classes."""

    x: jax.Array
    y: jax.Array


class Training(NamedTuple):
    """`losses`: of each step's batch, before the step; `params`: at the end."""

    losses: jax.Array
    params: Params


def examples(split: dict[str, np.ndarray]) -> Examples:
    """The examples of a split as the net takes them."""
    flat = np.float32(split["image"].reshape(len(split["label"]), -1)) / 255
    return Examples(jnp.asarray(flat), jnp.asarray(split["label"]))


def init(key: jax.Array, sizes: tuple[int, ...], gain: jax.Array | float = 1.0) -> Params:
    """He's initialization times `gain`, one draw for all layers; biases 0."""
    shapes = list(zip(sizes[:-1], sizes[1:], strict=True))
    ends = np.cumsum([rows * columns for rows, columns in shapes])
    flat = jnp.split(gain * jax.random.normal(key, (ends[-1],)), ends[:-1])
    return [
        (np.sqrt(2 / rows) * weight.reshape(rows, columns), jnp.zeros(columns))
        for weight, (rows, columns) in zip(flat, shapes, strict=True)
    ]


def logits(params: Params, x: jax.Array) -> jax.Array:
    """The net: ReLU after every layer but the last."""
    for weight, bias in params[:-1]:
        x = jax.nn.relu(x @ weight + bias[None])
    weight, bias = params[-1]
    return x @ weight + bias[None]


def cross_entropy(z: jax.Array, y: jax.Array) -> jax.Array:
    """Mean cross-entropy in nats, with the maximum taken out of the exponential."""
    return jnp.mean(jax.nn.logsumexp(z, axis=1) - chosen(z, y))


def chosen(z: jax.Array, y: jax.Array) -> jax.Array:
    """Each row's entry at its label."""
    return jnp.take_along_axis(z, y[:, None], axis=1)[:, 0]


def loss(params: Params, some: Examples) -> jax.Array:
    return cross_entropy(logits(params, some.x), some.y)


def batch_indices(key: jax.Array, size: int, steps: int, batch: int = BATCH) -> jax.Array:
    """Rows of indices, one a step: as many reshuffled epochs as the steps need."""
    epochs = -(-steps // (size // batch))

    def epoch(number: jax.Array) -> jax.Array:
        return data.epoch_order(jax.random.fold_in(key, number), size, batch).indices

    return jax.lax.map(epoch, jnp.arange(epochs)).reshape(-1, batch)[:steps]


def train(
    tx: optax.GradientTransformation,
    key: jax.Array,
    fit: Examples,
    steps: int,
    *,
    sizes: tuple[int, ...] = (64, 64, 10),
    gain: jax.Array | float = 1.0,
    criterion: Callable[[jax.Array, jax.Array], jax.Array] = cross_entropy,
) -> Training:
    """Mini-batch training; the key decides the first weights and the order of the examples."""
    init_key, order_key = jax.random.split(key)
    first = init(init_key, sizes, gain)

    def step(carry: tuple, rows: jax.Array) -> tuple[tuple, jax.Array]:
        params, state = carry
        value, gradient = jax.value_and_grad(
            lambda params: criterion(logits(params, fit.x[rows]), fit.y[rows])
        )(params)
        updates, state = tx.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), value

    order = batch_indices(order_key, len(fit.y), steps)
    (params, _), losses = jax.lax.scan(step, (first, tx.init(first)), order)
    return Training(losses, params)
