"""Labels in a dtype that can be compared with a number of classes."""

import jax.numpy as jnp
from jaxtyping import Array, Integer


def wide_labels(labels: Integer[Array, "*batch"]) -> Integer[Array, "*batch"]:
    """Converts labels to int32; labels of 64 bits are returned unchanged.

    In uint8, the number of classes 256, with which labels are compared, would become 0. In int32, a
    64-bit label of `2**32` would become 0.

    Example:
        >>> wide_labels(jnp.array([255], jnp.uint8)) < 256
        Array([ True], dtype=bool)
    """
    return labels if labels.dtype.itemsize > 4 else labels.astype(jnp.int32)
