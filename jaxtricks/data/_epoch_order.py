"""Which examples make up each batch of an epoch."""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32, Key

from jaxtricks._checks import check_choice, check_integer, check_key


class Order(NamedTuple):
    """One row per step. `indices`: into the examples; `weights`: 1, or 0 for padding."""

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
    """Lays out one epoch; scan over the rows.

    Args:
        key: of this epoch: `fold_in(key, epoch)` makes the order a function of seed and epoch.
        size: number of examples, at least 1 and at most 2^31 - 1, as places are counted in int32.
        batch_size: at least 1; 1 is per-example SGD, `size` is batch gradient descent.
        order: `"reshuffle"` visits each example once in a random order, `"cyclic"` once in their
            own order (`key` is not used), `"with_replacement"` draws each place independently.
        remainder: what becomes of the last `size % batch_size` places: `"drop"`, or `"weight"`,
            a batch padded to full size with examples of weight 0, for a mean that divides by the
            sum of the weights.

    Raises:
        ValueError: a size is under 1 or too large, a name is unknown, or dropping would leave no
            batch.
        TypeError: `key` is not a typed key.

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
        raise ValueError(f"batch_size {batch_size} leaves no whole batch of {size} examples.")
    steps = size // batch_size if remainder == "drop" else -(-size // batch_size)
    most = jnp.iinfo(jnp.int32).max
    if steps * batch_size > most:
        raise ValueError(
            f"batch_size must give at most {most} places, got {steps} batches of {batch_size}."
        )
    if order == "cyclic":
        places = jnp.arange(size, dtype=jnp.int32)
    elif order == "reshuffle":
        places = jax.random.permutation(key, jnp.arange(size, dtype=jnp.int32))
    else:
        places = jax.random.randint(key, (size,), 0, size, dtype=jnp.int32)
    position = jnp.arange(steps * batch_size, dtype=jnp.int32).reshape(steps, batch_size)
    return Order(places[position % size], (position < size).astype(float))
