"""Batches made ahead of the step that needs them."""

from collections.abc import Callable, Generator, Mapping
from typing import Literal, Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Array, Int, Key, Shaped

from jaxtricks._checks import check_choice, check_integer, check_key
from jaxtricks.data._epoch_order import epoch_order

Rows = dict[str, Shaped[np.ndarray, "n *rest"]]


@runtime_checkable
class Source(Protocol):
    """Examples that need not fit into memory, such as `TfdsSource`."""

    def __len__(self) -> int:
        """The number of examples."""
        ...

    def __getitem__(self, indices: Int[np.ndarray, " n"], /) -> Rows:
        """The examples of some numbers, in their order: a dict of arrays."""
        ...


def stream(
    examples: Mapping[str, Shaped[Array | np.ndarray, "..."]] | Source,
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
    """Reads batches in threads of their own, by grain, while the device computes.

    Epoch e has the order `epoch_order(fold_in(key, e), ..., remainder="weight")`, so the batches
    are those of examples in memory, whatever the number of processes and threads, and a run goes on
    from any step without reading what came before. Each batch is a dict of NumPy arrays with
    `"weight"`: 0 where the last batch of an epoch is padded, else 1, or the example's own
    weight.

    Args:
        examples: a dict of arrays, or what has `__len__` and `__getitem__(indices) -> dict of rows`
            and may be called from several threads, such as `TfdsSource`.
        key: of the whole run.
        batch_size: of all processes together.
        epochs: where to end; an epoch has `ceil(examples / batch_size)` steps.
        first_step: the step to begin with, counted from 0 over all epochs.
        order: as in `epoch_order`.
        process_index: which of `process_count` equal parts of each batch to read, in their order;
            None takes JAX's, and 0 of 1 without `jax.distributed`.
        process_count: into how many parts batches are divided; None takes JAX's.
        threads: that read and decode, each a batch.
        ahead: how many batches may wait in memory, at least `threads`.

    Raises:
        ImportError: grain is not installed.
        ValueError: a number is out of range, the processes cannot divide a batch evenly, or there
            is no example.
        TypeError: an argument is of another type.

    Example:
        >>> examples = {"label": np.array([5, 6, 7])}
        >>> options = {"key": jax.random.key(0), "batch_size": 2, "epochs": 2, "order": "cyclic"}
        >>> for batch in stream(examples, first_step=2, **options):
        ...     print(batch["label"].tolist(), batch["weight"].tolist())
        [5, 6] [1.0, 1.0]
        [7, 5] [1.0, 0.0]

    References:
        S-OPT-02, S-DAT-08; notes 003:5. [Grain](https://google-grain.readthedocs.io).
    """
    try:
        import grain
    except ImportError as error:
        raise ImportError("stream needs grain: install jaxtricks[data].") from error
    check_key("key", key)
    check_choice("order", order, ("reshuffle", "cyclic", "with_replacement"))
    check_integer("first_step", first_step, low=0)
    lows = {"batch_size": batch_size, "epochs": epochs, "threads": threads, "ahead": ahead}
    for name, number in lows.items():
        check_integer(name, number, low=1)
    if ahead < threads:
        raise ValueError(f"ahead must be at least the {threads} threads, got {ahead}.")
    size = number_of(examples)
    rows_of = gather(examples) if isinstance(examples, Mapping) else examples.__getitem__
    mine = part_of(batch_size, process_index, process_count)
    steps = -(-size // batch_size)
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=ahead)

    def batches() -> Generator[Rows, None, None]:
        for epoch in range(first_step // steps, epochs):
            indices, weights = jax.device_get(
                epoch_order(
                    jax.random.fold_in(key, epoch),
                    size,
                    batch_size,
                    order=order,
                    remainder="weight",
                )
            )

            def read(step: int, indices=indices[:, mine], weights=weights[:, mine]) -> Rows:
                rows = rows_of(indices[step])
                own = rows.get("weight", np.float32(1))
                return {**rows, "weight": weights[step] * own}

            start = max(0, first_step - epoch * steps)
            yield from grain.MapDataset.range(start, steps).map(read).to_iter_dataset(options)

    return batches()


def number_of(examples: Mapping[str, Shaped[Array | np.ndarray, "..."]] | Source) -> int:
    """The number of examples.

    Raises:
        TypeError: it is neither a dict of arrays nor a source.
        ValueError: there is none, or the arrays have several lengths.
    """
    if isinstance(examples, Mapping):
        sizes = {name: len(values) for name, values in examples.items()}
        if len(set(sizes.values())) != 1:
            raise ValueError(f"examples must have arrays of one length, got {sizes}.")
        size = next(iter(sizes.values()))
    elif isinstance(examples, tuple | list | np.ndarray | jax.Array | str) or not isinstance(
        examples, Source
    ):
        raise TypeError(
            "examples must be a dict of arrays, or have __len__ and __getitem__, "
            f"got a {type(examples).__name__}."
        )
    else:
        size = len(examples)
    if not size:
        raise ValueError("examples must not be empty.")
    return size


def part_of(batch_size: int, index: int | None, count: int | None) -> slice:
    """The rows of each batch that a process reads.

    Raises:
        TypeError: a number is no integer.
        ValueError: a number is out of range, or the batch cannot be divided evenly.
    """
    index = jax.process_index() if index is None else index
    count = jax.process_count() if count is None else count
    check_integer("process_count", count, low=1)
    check_integer("process_index", index, low=0)
    if index >= count:
        raise ValueError(f"process_index must be under process_count {count}, got {index}.")
    if batch_size % count:
        raise ValueError(f"batch_size must be a multiple of {count} processes, got {batch_size}.")
    rows = batch_size // count
    return slice(index * rows, (index + 1) * rows)


def gather(
    arrays: Mapping[str, Shaped[Array | np.ndarray, "..."]],
) -> Callable[[Int[np.ndarray, " n"]], Rows]:
    """Makes a function from numbers of examples to rows of arrays in memory."""
    on_host = {name: np.asarray(values) for name, values in arrays.items()}
    return lambda indices: {name: values[indices] for name, values in on_host.items()}
