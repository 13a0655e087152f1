"""One-hot encoding of class labels."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Integer

from jaxtricks._array_size import check_array_size
from jaxtricks._checks import check_integer, shown
from jaxtricks._wide_labels import wide_labels


def one_hot(
    labels: Integer[Array | np.ndarray, "*batch"], classes: int
) -> Float32[Array, "*batch classes"]:
    """Encodes each class label as a row with 1 at the index of the class and 0 elsewhere.

    Args:
        labels: integers from 0 to `classes - 1`, any shape. Under `jax.jit` the values are not
            checked, and a label out of range gives a row of zeros.
        classes: number of classes, at least 1.

    Returns:
        The rows, `[..., classes]` in float32.

    Raises:
        TypeError: `labels` is not an integer array, or `classes` is not an integer.
        ValueError: a label is out of range, `classes` is under 1, or the result would be too large.

    Example:
        >>> one_hot(np.array([1, 0]), 3).tolist()
        [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    check_integer("classes", classes, low=1)
    array = isinstance(labels, np.ndarray | np.generic | jax.Array)
    if not array or not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"labels must be an array of integers, got {shown(labels)}.")
    if not isinstance(labels, jax.core.Tracer):
        outside = np.asarray(labels)[(np.asarray(labels) < 0) | (np.asarray(labels) >= classes)]
        if outside.size:
            raise ValueError(f"labels must be in [0, {classes}), got {outside[0]}.")
    check_array_size("classes", classes, (np.size(labels), classes))
    places = wide_labels(jnp.asarray(labels))
    return jax.nn.one_hot(places, classes, dtype=jnp.float32)
