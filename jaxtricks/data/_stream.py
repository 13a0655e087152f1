"""A stream of batches, read in background threads before they are needed."""

import functools
from collections.abc import Generator, Iterator
from typing import Literal

import jax
import numpy as np
from jaxtyping import Array, Int32, Key

from jaxtricks._checks import check_choice, check_integer, check_key
from jaxtricks.data._epoch_order import Order, epoch_order
from jaxtricks.data._examples import Examples, Rows, count_examples, take_batch
from jaxtricks.data._read_ahead import read_ahead


def stream(
    examples: Examples,
    *,
    key: Key[Array, ""],
    batch_size: int,
    epochs: int,
    first_step: int = 0,
    order: Literal["reshuffle", "cyclic", "with_replacement"] = "reshuffle",
    process_index: int | None = None,
    process_count: int | None = None,
    threads: int = 2,
    ahead: int = 4,
) -> Generator[Rows, None, None]:
    """Reads batches in background threads while the device computes.

    Epoch `e` has the order `epoch_order(fold_in(key, e), ..., remainder="weight")`. The batches are
    therefore the same for every number of processes and threads, and a run can continue from any
    step without reading the earlier batches. Each batch is a dict of NumPy arrays with an entry
    `"weight"`: 0 for padding in the last batch of an epoch, otherwise 1 or the example's own
    weight. After Ctrl-C the program waits at most one second for a read that is still running.

    Args:
        examples: a dict of arrays whose first axis is the example, or a `Source` such as
            `TfdsSource`, which must allow calls from several threads at once.
        key: random key of the run.
        batch_size: number of examples per batch, over all processes.
        epochs: total number of epochs, including those before `first_step`. Each epoch has
            `ceil(n / batch_size)` steps for `n` examples.
        first_step: the step to begin with, counted from 0 over all epochs.
        order: as in `epoch_order`.
        process_index: which of the `process_count` equal parts of each batch to read, counted from
            0; None means `jax.process_index()`.
        process_count: number of parts into which each batch is divided; None means
            `jax.process_count()`.
        threads: number of threads, each of which reads one batch at a time.
        ahead: largest number of batches that are read ahead and kept in memory, at least `threads`.

    Returns:
        A generator of batches: of each batch, the part of this process.

    Raises:
        ValueError: a number is out of range, `batch_size` is not a multiple of `process_count`,
            there is no example, or the arrays of `examples` differ in length.
        TypeError: an argument has a wrong type.

    Example:
        >>> examples = {"label": np.array([5, 6, 7])}
        >>> options = {"key": jax.random.key(0), "batch_size": 2, "epochs": 2, "order": "cyclic"}
        >>> for batch in stream(examples, first_step=2, **options):
        ...     print(batch["label"].tolist(), batch["weight"].tolist())
        [5, 6] [1.0, 1.0]
        [7, 5] [1.0, 0.0]
    """
    check_key("key", key)
    check_choice("order", order, ("reshuffle", "cyclic", "with_replacement"))
    check_integer("first_step", first_step, low=0)
    lows = {"batch_size": batch_size, "epochs": epochs, "threads": threads, "ahead": ahead}
    for name, number in lows.items():
        check_integer(name, number, low=1)
    if ahead < threads:
        raise ValueError(f"ahead must be at least the {threads} threads, got {ahead}.")
    size = count_examples(examples)
    own = rows_of_process(batch_size, process_index, process_count)
    steps = -(-size // batch_size)

    def places() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for epoch in range(first_step // steps, epochs):
            rows = order_program(key, np.int32(epoch), size, batch_size, order)
            indices, weights = jax.device_get(rows)
            for step in range(max(0, first_step - epoch * steps), steps):
                yield indices[step, own], weights[step, own]

    read = functools.partial(take_batch, examples)
    return read_ahead(read, places(), threads=threads, ahead=ahead)


@functools.partial(jax.jit, static_argnums=(2, 3, 4))
def order_program(
    key: Key[Array, ""],
    epoch: Int32[np.ndarray | Array, ""] | np.int32,
    size: int,
    batch_size: int,
    order: Literal["reshuffle", "cyclic", "with_replacement"],
) -> Order:
    """Computes the order of the epoch with number `epoch`, as one compiled program."""
    epoch_key = jax.random.fold_in(key, epoch)
    return epoch_order(epoch_key, size, batch_size, order=order, remainder="weight")


def rows_of_process(batch_size: int, index: int | None, count: int | None) -> slice:
    """Finds the rows of each batch that a process reads.

    Raises:
        TypeError: `index` or `count` is not an integer.
        ValueError: `index` or `count` is out of range, or `batch_size` is not a multiple of
            `count`.
    """
    index = jax.process_index() if index is None else index
    count = jax.process_count() if count is None else count
    check_integer("process_count", count, low=1)
    check_integer("process_index", index, low=0)
    if index >= count:
        raise ValueError(f"process_index must be under process_count, {count}, got {index}.")
    if batch_size % count:
        raise ValueError(
            f"batch_size must be a multiple of process_count, {count}, got {batch_size}."
        )
    rows = batch_size // count
    return slice(index * rows, (index + 1) * rows)
