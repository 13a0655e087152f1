"""Reading in threads of their own, a few results ahead of the one that is needed."""

import collections
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")
PATIENCE = 1.0  # seconds that an abandoned reader waits for reads that have begun


def read_ahead(
    read: Callable[..., Result], places: Iterable[tuple], *, threads: int, ahead: int
) -> Generator[Result, None, None]:
    """Gives `read(*place)` of each place, in their order.

    A read that hangs keeps nobody waiting: whoever gives up, by Ctrl-C or by closing the
    generator, waits at most a second, and the program may end while a thread still reads.

    Args:
        read: called from several threads at once.
        places: its arguments.
        threads: that read, at most.
        ahead: how many results may wait.
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
    """What a thread does: reads until it is told None."""
    while (job := todo.get()) is not None:
        future, place = job
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(read(*place))
            except BaseException as error:
                future.set_exception(error)
        del job, future, place  # the result belongs to whoever asked for it
