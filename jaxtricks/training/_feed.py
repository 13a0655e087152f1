"""Moving batches from the host to the devices, and results back to the host."""

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
    """Yields the batches of `data.stream`, divided among devices by `sharding`.

    Without a sharding, the batches stay on the host, and `jit` moves them. This process reads all
    rows if there is no sharding or if all devices of the sharding belong to it, otherwise only the
    rows of its own devices.
    """
    if sharding is None or sharding.is_fully_addressable:
        options |= {"process_index": 0, "process_count": 1}
    for batch in stream(examples, **options):
        yield batch if sharding is None else place_batch(batch, sharding)


def fetch_behind(results: Iterable[PyTree]) -> Iterator[PyTree]:
    """Copies results to the host, each one after the two results that follow it were requested.

    So the device need not wait for the host, and at most two further results are pending.
    """
    waiting = collections.deque()
    for result in results:
        waiting.append(result)
        if len(waiting) > 2:
            yield jax.device_get(waiting.popleft())
    yield from map(jax.device_get, waiting)
