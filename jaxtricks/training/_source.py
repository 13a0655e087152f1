"""Examples on the host: arrays in memory, or anything that gathers rows by their numbers."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding
from jaxtyping import Float, Int

from jaxtricks._checks import check_instance
from jaxtricks.data import Source

Rows = dict[str, np.ndarray]


Examples = Mapping[str, Any] | Source


def size_of(examples: Examples) -> int:
    """The number of examples."""
    return len(next(iter(examples.values()))) if isinstance(examples, Mapping) else len(examples)


def check_source(name: str, examples: object) -> None:
    """Checks that rows can be had by their numbers, and that there are any.

    Raises:
        TypeError: this is neither a dict of arrays nor a source.
        ValueError: it is empty.
    """
    if isinstance(examples, tuple | list | np.ndarray | jax.Array) or not isinstance(
        examples, Mapping | Source
    ):
        hint = "; give ._asdict()" if hasattr(examples, "_asdict") else ""
        raise TypeError(
            f"{name} must be a dict of arrays, or have __len__ and __getitem__, "
            f"got a {type(examples).__name__}{hint}."
        )
    if isinstance(examples, Mapping) and not examples or not size_of(examples):
        raise ValueError(f"{name} has no examples.")


def gather(
    examples: Examples, indices: Int[np.ndarray, " n"], weights: Float[np.ndarray, " n"]
) -> Rows:
    """The rows of a batch as `take` gives them, on the host.

    Raises:
        TypeError: a source gives no dict.
        ValueError: there are more or fewer rows than indices.
    """
    batch: Rows
    if isinstance(examples, Mapping):
        batch = {str(name): np.asarray(values)[indices] for name, values in examples.items()}
    else:
        rows = examples[indices]
        check_instance("what the examples give", rows, Mapping)
        batch = {name: np.asarray(values) for name, values in rows.items()}
    lengths = {name: len(values) for name, values in batch.items()}
    if set(lengths.values()) != {len(indices)}:
        raise ValueError(
            f"examples must give a row for each of {len(indices)} indices, got {lengths}."
        )
    return {**batch, "weight": weights * batch.get("weight", np.float32(1))}


def own_rows(sharding: NamedSharding | None, batch_size: int) -> Int[np.ndarray, " n"]:
    """The rows of a batch that lie on this process's devices."""
    rows = np.arange(batch_size)
    if sharding is None:
        return rows
    slices = sharding.addressable_devices_indices_map((batch_size,)).values()
    return np.unique(np.concatenate([rows[part] for part in slices if part is not None]))


def batch_shapes(examples: Examples, batch_size: int) -> dict[str, jax.ShapeDtypeStruct]:
    """What a batch looks like to a step."""
    one = gather(examples, np.zeros(1, int), np.ones(1, np.float32))
    return {
        name: jax.ShapeDtypeStruct(
            (batch_size, *values.shape[1:]), jax.dtypes.canonicalize_dtype(values.dtype)
        )
        for name, values in one.items()
    }


def fingerprint(examples: Examples, batch_size: int) -> dict[str, int | str]:
    """The number of examples and a SHA-256 of their bytes; of a source those of its first batch."""
    if not isinstance(examples, Mapping):
        first = np.arange(min(batch_size, len(examples)))
        return {**fingerprint(dict(examples[first]), batch_size), "examples": len(examples)}
    digest = hashlib.sha256()
    for name in sorted(examples):
        values = np.ascontiguousarray(examples[name])
        digest.update(json.dumps([name, str(values.dtype), values.shape]).encode())
        digest.update(values.view(np.uint8).data if values.size else b"")
    return {"examples": size_of(examples), "sha256": digest.hexdigest()}
