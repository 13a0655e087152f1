"""The metrics of each epoch as lines of JSON, in a file that only grows."""

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from typing_extensions import TypeAliasType

from jaxtricks._checks import check_instance, shown

Record = TypeAliasType("Record", dict[str, Any])


def add_metrics(record: Record, said: Any) -> bool:
    """Adds the caller's metrics to the record of an epoch; gives whether the run is to end.

    Raises:
        TypeError: this is neither a bool nor a dict of numbers and arrays.
        ValueError: the record has an entry of that name.
    """
    if isinstance(said, bool | np.bool_ | jax.Array | np.ndarray) and np.ndim(said) == 0:
        if np.asarray(said).dtype == bool:
            return bool(said)
    check_instance("what on_epoch returns", said, Mapping)
    for name, value in said.items():
        if name in record:
            raise ValueError(f"on_epoch must not name a metric {name!r}: the record has it.")
        values = np.asarray(value)
        real = jnp.issubdtype(values.dtype, jnp.number) or values.dtype == bool
        if not real or np.iscomplexobj(values):
            raise TypeError(
                f"on_epoch must give real numbers or arrays of them, got {name}={shown(value)}."
            )
        record[str(name)] = values.astype(float).tolist()
    return False


def append(path: pathlib.Path, record: Record) -> None:
    """Adds a line and waits until it is on the disk.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read(path: pathlib.Path, epochs: int) -> list[Record]:
    """The records of the first `epochs` epochs; what comes after them is not looked at.

    Raises:
        ValueError: there are fewer, or one is damaged.
    """
    lines = complete_lines(path)[:epochs]
    try:
        records = [json.loads(line) for line in lines]
    except ValueError as error:
        raise ValueError(f"{path} is damaged before the checkpoint's epoch {epochs}.") from error
    if [record["epoch"] for record in records] != list(range(1, epochs + 1)):
        raise ValueError(
            f"{path} has {len(records)} epochs, but the checkpoint was saved after {epochs}."
        )
    return records


def cut(path: pathlib.Path, epochs: int) -> None:
    """Drops what comes after the first `epochs` lines, a torn last line included.

    Raises:
        OSError: it cannot be written.
    """
    size = sum(map(len, complete_lines(path)[:epochs]))
    with path.open("r+b") as file:
        file.truncate(size)
        os.fsync(file.fileno())


def complete_lines(path: pathlib.Path) -> list[bytes]:
    """The lines of a file that end as such."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [line for line in lines if line.endswith(b"\n")]
