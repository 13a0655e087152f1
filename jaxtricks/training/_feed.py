"""Batches from the host to the devices, and results back."""

import collections
from collections.abc import Iterable, Iterator
from typing import Any

import jax
from jax.sharding import NamedSharding
from jaxtyping import PyTree

from jaxtricks.data import Examples, stream
from jaxtricks.training._loss import Batch
from jaxtricks.training.devices._sharding import place_batch


def feed(examples: Examples, sharding: NamedSharding | None, **options: Any) -> Iterator[Batch]:
    """The batches of `data.stream`, on the devices that have a part of them.

    Without a sharding, and with one that this process holds whole, it reads all rows; else those
    of its own devices. Without a sharding `jit` moves the batch.
    """
    if sharding is None or sharding.is_fully_addressable:
        options |= {"process_index": 0, "process_count": 1}
    for batch in stream(examples, **options):
        yield batch if sharding is None else place_batch(batch, sharding)


def fetch_behind(results: Iterable[PyTree]) -> Iterator[PyTree]:
    """Copies results to the host, each two later than it was asked for.

    So the device need not wait for the host, and no more than two batches pile up.
    """
    waiting = collections.deque()
    for result in results:
        waiting.append(result)
        if len(waiting) > 2:
            yield jax.device_get(waiting.popleft())
    yield from map(jax.device_get, waiting)
