"""Whole labels in a dtype that is compared safely with a number of classes."""

import jax.numpy as jnp
from jaxtyping import Array, Integer


def wide_labels(labels: Integer[Array, "*batch"]) -> Integer[Array, "*batch"]:
    """Returns labels in int32, or as they are where they have 64 bits.

    In uint8 the class 256 would be the class 0, and in int32 so would be 2^32.

    Example:
        >>> wide_labels(jnp.array([255], jnp.uint8)) < 256
        Array([ True], dtype=bool)
    """
    return labels if labels.dtype.itemsize > 4 else labels.astype(jnp.int32)
