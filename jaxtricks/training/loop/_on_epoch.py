"""Calling the caller's function after each epoch."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from typing_extensions import TypeAliasType

from jaxtricks._checks import check_instance, shown
from jaxtricks.training._state import TrainState
from jaxtricks.training.loop._history import Record

OnEpoch = TypeAliasType(
    "OnEpoch", Callable[[int, TrainState, Record], bool | Mapping[str, Any] | None]
)


def ask(on_epoch: OnEpoch | None, state: TrainState, record: Record) -> bool:
    """Calls `on_epoch` and adds its metrics to the record; returns whether to end the run.

    Raises:
        TypeError: it returns neither None, a bool nor a dict of numbers and arrays.
        ValueError: it changes the record itself, names a metric that the record has, or returns an
            empty array.
    """
    if on_epoch is None:
        return False
    given = dict(record)
    said = on_epoch(record["epoch"], state, given)
    changed = [
        name for name in {**record, **given} if record.get(name, ...) is not given.get(name, ...)
    ]
    if changed:
        raise ValueError(
            "on_epoch must return its metrics in a dict of its own and leave the record as it is, "
            f"got {changed} changed."
        )
    return said is not None and add_metrics(record, said)


def add_metrics(record: Record, said: Any) -> bool:
    """Adds the caller's metrics to the record of an epoch; returns whether to end the run.

    Raises:
        TypeError: `said` is neither a bool nor a dict of numbers and arrays.
        ValueError: the record has a metric of that name, or an array is empty.
    """
    if isinstance(said, bool | np.bool_ | jax.Array | np.ndarray) and np.ndim(said) == 0:
        if np.asarray(said).dtype == bool:
            return bool(said)
    check_instance("what on_epoch returns", said, Mapping)
    for name, value in said.items():
        if str(name) in (*record, "crc32"):
            raise ValueError(f"on_epoch must not name a metric {name!r}: the record has that name.")
        values = np.asarray(value)
        real = jnp.issubdtype(values.dtype, jnp.number) or values.dtype == bool
        if not real or np.iscomplexobj(values):
            raise TypeError(
                f"on_epoch must return real numbers or arrays of them, got {name}={shown(value)}."
            )
        if not values.size:
            raise ValueError(
                f"on_epoch must return arrays with entries, got {name}={shown(value)}."
            )
        record[str(name)] = values.astype(float).tolist()
    return False
