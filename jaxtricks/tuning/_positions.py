"""Storage of the positions of a chunk of trials, from which they can continue, in a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree, UInt8

from jaxtricks._checked_file import read_checked, write_checked


def write_positions(file: Path, positions: PyTree, search: str) -> None:
    """Writes a tree of arrays with one row per trial; no partial file is ever visible.

    The file also stores the digest of the search and its own name, so that `read_positions` detects
    another file in its place.

    Raises:
        OSError: the file cannot be written.
    """
    leaves = {str(i): as_bytes(leaf) for i, leaf in enumerate(jax.tree.leaves(positions))}
    write_checked(file, {"of": owner(file, search), **leaves})


def read_positions(file: Path, like: PyTree, search: str) -> PyTree | None:
    """Reads what `write_positions` wrote; None if the file is missing, damaged or another one.

    Args:
        file: the file to read.
        like: shapes and dtypes of the position of one trial.
        search: the digest of the search.
    """
    leaves, structure = jax.tree.flatten(like)
    try:
        found = read_checked(file)
        if not np.array_equal(found["of"], owner(file, search)):
            return None
        rows = [from_bytes(found[str(i)], leaf) for i, leaf in enumerate(leaves)]
    except (OSError, ValueError, KeyError):
        return None
    return jax.tree.unflatten(structure, rows)


def owner(file: Path, search: str) -> UInt8[np.ndarray, " bytes"]:
    """Encodes the search that a file belongs to, and the name of the file."""
    return np.frombuffer(f"{search} {file.name}".encode(), np.uint8)


def stacked(leaves: Sequence[Any]) -> Any:
    """Stacks rows, which may be on different devices, to one array."""
    if not is_key(leaves[0]):
        return np.stack([np.asarray(leaf) for leaf in leaves])
    words = np.stack([np.asarray(jax.random.key_data(leaf)) for leaf in leaves])
    return jax.random.wrap_key_data(words, impl=jax.random.key_impl(leaves[0]))


def is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def as_bytes(leaf: Any) -> UInt8[np.ndarray, "rows bytes"]:
    """Converts each row to bytes, which works for every dtype and for random keys."""
    values = np.asarray(jax.random.key_data(leaf) if is_key(leaf) else leaf)
    return np.frombuffer(values.tobytes(), np.uint8).reshape(len(values), values[0].nbytes)


def from_bytes(values: UInt8[np.ndarray, "rows bytes"], like: Any) -> Any:
    """Converts bytes back to rows with the shape and dtype of `like`."""
    form = jax.eval_shape(jax.random.key_data, like) if is_key(like) else like
    rows = np.frombuffer(values.tobytes(), form.dtype).reshape(len(values), *form.shape)
    if not is_key(like):
        return rows
    return jax.random.wrap_key_data(rows, impl=jax.random.key_impl(jnp.empty((), like.dtype)))
