"""Checks that JAX keeps the numbers of NumPy arrays, which it would change without a warning."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.tree_util import keystr, tree_leaves_with_path
from jaxtyping import Bool


def check_rows_fit(rows: Mapping[str, Any], *, numbers: Any = None) -> None:
    """Checks that the NumPy arrays of a batch keep their values when they become JAX arrays.

    Unless `jax_enable_x64` is set, JAX converts 64-bit numbers to 32 bits: the integer `2**32`
    would become 0, and 1e39 would become infinite. Only NumPy arrays of 64-bit numbers are read.
    Rows whose `"weight"` is 0 are not checked.

    Args:
        rows: a dict of arrays, or of trees of arrays, whose first axis is the example.
        numbers: for each row, the number of its example in the data set, for the message; with
            None, the message names the number of the row.

    Raises:
        ValueError: a value does not fit; the message names the value and its example.

    Example:
        >>> check_rows_fit({"label": np.array([0, 2**32])})
        Traceback (most recent call last):
        ValueError: label must fit into int32, its dtype in JAX, got 4294967296 in example 1.
    """
    for (first, *inner), values in tree_leaves_with_path(dict(rows)):
        name = f"{first.key}{keystr(tuple(inner))}"
        broken = outside(values)
        if broken is None:
            continue
        weight = rows.get("weight")
        weighed = name != "weight" and np.ndim(values) and weight is not None
        if weighed and not isinstance(weight, jax.core.Tracer):
            broken &= (np.asarray(weight) != 0).reshape(-1, *(1,) * (broken.ndim - 1))
        where = np.argwhere(broken)
        if len(where):
            row = where[0][0]
            value = np.atleast_1d(values)[tuple(where[0])]
            dtype = jax.dtypes.canonicalize_dtype(values.dtype)
            raise ValueError(
                f"{name} must fit into {dtype}, its dtype in JAX, got {value} in example "
                f"{row if numbers is None else numbers[row]}."
            )


def outside(values: object) -> Bool[np.ndarray, "..."] | None:
    """Returns True where JAX would change a value beyond rounding, or None if it changes none."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf" or not values.size:
        return None
    values, dtype = np.atleast_1d(values), jax.dtypes.canonicalize_dtype(values.dtype)
    if dtype == values.dtype:
        return None
    if values.dtype.kind != "f":
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        if low <= values.min() and values.max() <= high:
            return None
        return (values < low) | (values > high)
    with np.errstate(over="ignore"):
        broken = np.isinf(values.astype(dtype)) & np.isfinite(values)
    return broken if broken.any() else None
