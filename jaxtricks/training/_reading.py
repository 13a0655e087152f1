"""Batches that a thread reads while the device works, and results fetched when they are there."""

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import jax
from jaxtyping import PyTree

from jaxtricks.data import Order
from jaxtricks.training._loss import Metrics
from jaxtricks.training._source import Rows


def over_batches(
    function: Callable[[Rows], Metrics], read: Callable[..., Rows], order: Order
) -> Iterator[PyTree]:
    """Calls a function with each batch, which a thread reads meanwhile, and fetches the results."""
    with ThreadPoolExecutor(1) as reader:
        yield from fetched(map(function, ahead(reader, read, order)))


def ahead(reader: Executor, read: Callable[..., Rows], order: Order) -> Iterator[Rows]:
    """Reads each batch of an epoch in a thread while the device has the one before it."""
    coming = collections.deque()
    for row in zip(*order, strict=True):
        coming.append(reader.submit(read, *row))
        if len(coming) > 1:
            yield coming.popleft().result()
    yield from (last.result() for last in coming)


def fetched(results: Iterable[PyTree]) -> Iterator[PyTree]:
    """Copies results to the host, each two later than it was asked for.

    The device need not wait for the host, and no more batches than that pile up.
    """
    waiting = collections.deque()
    for result in results:
        waiting.append(result)
        if len(waiting) > 2:
            yield jax.device_get(waiting.popleft())
    yield from map(jax.device_get, waiting)
