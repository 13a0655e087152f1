"""The order of the examples in the batches of an epoch."""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32, Key

from jaxtricks._checks import check_choice, check_integer, check_key


class Order(NamedTuple):
    """The examples of each batch of an epoch, one row per step.

    Attributes:
        indices: numbers of the examples, counted from 0.
        weights: 1 for each example, 0 for padding.
    """

    indices: Int32[Array, "steps batch"]
    weights: Float[Array, "steps batch"]


def epoch_order(
    key: Key[Array, ""],
    size: int,
    batch_size: int,
    *,
    order: Literal["reshuffle", "cyclic", "with_replacement"] = "reshuffle",
    remainder: Literal["drop", "weight"] = "drop",
) -> Order:
    """Chooses the examples of each batch of one epoch.

    The result has one row per step; a training loop can `jax.lax.scan` over it.

    Args:
        key: random key of this epoch, such as `jax.random.fold_in(key, epoch)`.
        size: number of examples, from 1 to `2**31 - 1`.
        batch_size: number of examples per batch, at least 1. With 1 the training is per-example
            SGD, with `size` it is full-batch gradient descent.
        order: `"reshuffle"` visits each example once in a random order, and `"cyclic"` once in the
            order of the data set (`key` is not used); `"with_replacement"` draws each example
            independently.
        remainder: what to do with the last `size % batch_size` examples. `"drop"` leaves them out;
            `"weight"` adds a batch that is padded to full size with examples of weight 0, for a
            mean that divides by the sum of the weights.

    Returns:
        Indices and weights, each `[steps, batch_size]`.

    Raises:
        ValueError: `size` or `batch_size` is under 1 or too large, `order` or `remainder` is not
            one of the names above, `key` is an array of keys, or `"drop"` would leave no batch.
        TypeError: `key` is not a typed key, or `size` or `batch_size` is not an integer.

    Example:
        >>> order = epoch_order(jax.random.key(0), 5, 2, order="cyclic", remainder="weight")
        >>> order.indices.tolist(), order.weights.tolist()
        ([[0, 1], [2, 3], [4, 0]], [[1.0, 1.0], [1.0, 1.0], [1.0, 0.0]])

    References:
        Gürbüzbalaban et al., [Why random reshuffling beats stochastic gradient
        descent](https://arxiv.org/abs/1510.08560), 2015.
    """
    check_key("key", key)
    check_integer("size", size, low=1)
    check_integer("batch_size", batch_size, low=1)
    check_choice("order", order, ("reshuffle", "cyclic", "with_replacement"))
    check_choice("remainder", remainder, ("drop", "weight"))
    if remainder == "drop" and batch_size > size:
        raise ValueError(
            f"batch_size must be at most the {size} examples, got {batch_size}: "
            'remainder="weight" pads the batch.'
        )
    steps = size // batch_size if remainder == "drop" else -(-size // batch_size)
    most = jnp.iinfo(jnp.int32).max
    if steps * batch_size > most:
        raise ValueError(
            f"batch_size must give at most {most} indices, got {steps} batches of {batch_size}."
        )
    if order == "cyclic":
        places = jnp.arange(size, dtype=jnp.int32)
    elif order == "reshuffle":
        places = jax.random.permutation(key, jnp.arange(size, dtype=jnp.int32))
    else:
        places = jax.random.randint(key, (size,), 0, size, dtype=jnp.int32)
    position = jnp.arange(steps * batch_size, dtype=jnp.int32).reshape(steps, batch_size)
    return Order(places[position % size], (position < size).astype(float))
