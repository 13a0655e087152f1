"""Reading in background threads, a few results ahead of the consumer."""

import collections
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")
PATIENCE = 1.0  # seconds to wait for running reads when the generator is closed


def read_ahead(
    read: Callable[..., Result], places: Iterable[tuple], *, threads: int, ahead: int
) -> Generator[Result, None, None]:
    """Yields `read(*place)` for each place, in the order of `places`.

    Closing the generator, as Ctrl-C does, waits at most one second for running reads. The threads
    are daemons, so a read that hangs does not keep the program from ending.

    Args:
        read: a function that may be called from several threads at once.
        places: tuples of arguments of `read`.
        threads: largest number of threads.
        ahead: largest number of results that wait in memory.
    """
    waiting: collections.deque[Future[Result]] = collections.deque()
    todo: SimpleQueue[tuple[Future[Result], tuple] | None] = SimpleQueue()
    readers: list[Thread] = []
    try:
        for place in places:
            if len(readers) < threads:
                readers.append(Thread(target=work, args=(read, todo), daemon=True))
                readers[-1].start()
            waiting.append(Future())
            todo.put((waiting[-1], place))
            if len(waiting) == ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for unread in waiting:
            unread.cancel()
        for _ in readers:
            todo.put(None)
        end = time.monotonic() + PATIENCE
        for reader in readers:
            reader.join(max(0.0, end - time.monotonic()))


def work(
    read: Callable[..., Result], todo: SimpleQueue[tuple[Future[Result], tuple] | None]
) -> None:
    """Runs in each thread: takes jobs from the queue and reads, until it takes a None."""
    while (job := todo.get()) is not None:
        future, place = job
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(read(*place))
            except BaseException as error:
                future.set_exception(error)
        del job, future, place  # so that an idle thread does not keep the result in memory
