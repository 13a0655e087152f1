"""Positions of a chunk of trials in a file."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree, UInt8

from jaxtricks._checked_file import read_checked, write_checked


def write_positions(file: Path, positions: PyTree) -> None:
    """Writes a tree of arrays with one row for each trial; the file is whole or not there.

    Raises:
        OSError: it cannot be written.
    """
    leaves = jax.tree.leaves(positions)
    write_checked(file, {str(i): as_bytes(leaf) for i, leaf in enumerate(leaves)})


def read_positions(file: Path, like: PyTree) -> PyTree | None:
    """What `write_positions` wrote, or None if it is lost or damaged.

    Args:
        file: where it is.
        like: shapes and dtypes of the position of one trial.
    """
    leaves, structure = jax.tree.flatten(like)
    try:
        found = read_checked(file)
        rows = [from_bytes(found[str(i)], leaf) for i, leaf in enumerate(leaves)]
    except (OSError, ValueError, KeyError):
        return None
    return jax.tree.unflatten(structure, rows)


def is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def as_bytes(leaf: Any) -> UInt8[np.ndarray, "rows bytes"]:
    """The bytes of each row, in which every dtype can be stored."""
    values = np.asarray(jax.random.key_data(leaf) if is_key(leaf) else leaf)
    return np.frombuffer(values.tobytes(), np.uint8).reshape(len(values), values[0].nbytes)


def from_bytes(values: UInt8[np.ndarray, "rows bytes"], like: Any) -> Any:
    """The rows that these are the bytes of."""
    form = jax.eval_shape(jax.random.key_data, like) if is_key(like) else like
    rows = np.frombuffer(values.tobytes(), form.dtype).reshape(len(values), *form.shape)
    if not is_key(like):
        return rows
    return jax.random.wrap_key_data(rows, impl=jax.random.key_impl(jnp.empty((), like.dtype)))
