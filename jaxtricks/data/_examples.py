"""The types of a data set, its number of examples, and how to take a batch from it."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped
from typing_extensions import TypeAliasType

from jaxtricks._array_checks import check_vector
from jaxtricks._check_fits import check_rows_fit
from jaxtricks._checks import check_instance, shown
from jaxtricks._wide_dtype import wide_dtype

Arrays = TypeAliasType("Arrays", Mapping[str, Shaped[Array | np.ndarray, "..."]])


@runtime_checkable
class Source(Protocol):
    """The interface of a data set that need not fit into memory, such as `TfdsSource`."""

    def __len__(self) -> int:
        """Gives the number of examples."""
        ...

    def __getitem__(self, indices: Int[np.ndarray, " n"], /) -> Arrays:
        """Gives the examples with the numbers `indices`, in this order, as a dict of arrays."""
        ...


Examples = TypeAliasType("Examples", Arrays | Source)
Rows = dict[str, Any]  # arrays, on the host or on the device


def count_examples(examples: Examples, *, name: str = "examples") -> int:
    """Counts the examples of a data set, and checks that there is at least one.

    Args:
        examples: a dict of arrays whose first axis is the example, or a `Source`.
        name: name of the argument in error messages.

    Raises:
        TypeError: `examples` is neither a dict of arrays nor a `Source`, or `name` is not a string.
        ValueError: there is no example, or the arrays differ in length.

    Example:
        >>> count_examples({"image": np.zeros((3, 8, 8, 1)), "label": np.zeros(3)})
        3
    """
    check_instance("name", name, str)
    if isinstance(examples, Mapping):
        for key, values in examples.items():
            check_rows(f"{name}[{key!r}]", values)
        sizes = {key: len(values) for key, values in examples.items()}
        if len(set(sizes.values())) != 1:
            raise ValueError(f"{name} must have arrays of one length, got {sizes}.")
        size = next(iter(sizes.values()))
    else:
        check_source(name, examples)
        size = len(examples)
    if not size:
        raise ValueError(f"{name} must not be empty.")
    return size


def check_source(name: str, examples: object) -> None:
    """Checks that a data set that is not a dict of arrays is a `Source`.

    Raises:
        TypeError: it is not.
    """
    sequence = isinstance(examples, tuple | list | np.ndarray | jax.Array | str)
    if sequence or not isinstance(examples, Source):
        raise TypeError(
            f"{name} must be a dict of arrays, or have __len__ and __getitem__, got a "
            f"{type(examples).__name__}."
        )


def check_rows(name: str, values: object) -> None:
    """Checks that a value is an array of at least one axis, which is the example.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(values, np.ndarray | jax.Array) or not values.ndim:
        raise TypeError(
            f"{name} must be an array whose first axis is the example, got {shown(values)}."
        )


def take_batch(
    examples: Examples,
    indices: Int[Array | np.ndarray, " n"],
    weights: Float[Array | np.ndarray, " n"],
) -> Rows:
    """Takes the examples with the given numbers from a data set, and adds an entry `"weight"`.

    With NumPy indices the batch holds NumPy arrays on the host; with JAX indices it holds JAX
    arrays, also under `jax.jit`.

    Args:
        examples: a dict of arrays whose first axis is the example, or a `Source`, which needs NumPy
            indices.
        indices: numbers of the examples, `[n]`, each from 0 to the number of examples minus 1. With
            JAX indices, larger ones are silently clipped.
        weights: weights of the rows of the batch, `[n]`, 0 for padding. If the examples have an
            entry `"weight"`, the weights are multiplied by it.

    Returns:
        A dict of arrays with `n` rows, including `"weight"`.

    Raises:
        TypeError: `examples` is neither a dict of arrays nor a `Source`, a source does not return
            a dict, `indices` is not an integer array, or `weights` is not a floating array.
        ValueError: a source returns another number of rows than there are indices, or raises
            StopIteration, or a value does not fit into the dtype in which JAX stores it.

    Example:
        >>> examples = {"label": np.array([5, 6, 7])}
        >>> batch = take_batch(examples, np.array([2, 0]), np.array([1.0, 0.0], np.float32))
        >>> batch["label"].tolist(), batch["weight"].tolist()
        ([7, 5], [1.0, 0.0])
    """
    check_vector("indices", indices, jnp.integer)
    check_vector("weights", weights, jnp.floating)
    on_host = isinstance(indices, np.ndarray)
    if isinstance(examples, Mapping):
        for name, values in examples.items():
            check_rows(f"examples[{name!r}]", values)
        asarray = np.asarray if on_host else jnp.asarray
        if not on_host:
            check_rows_fit(examples)
        batch: Rows = {str(name): asarray(values)[indices] for name, values in examples.items()}
    else:
        check_source("examples", examples)
        batch = read_rows(examples, indices)
    if on_host:
        check_rows_fit(batch, numbers=indices)
    if "weight" in batch:
        weights = weights * batch["weight"].astype(wide_dtype(batch["weight"].dtype))
    return {**batch, "weight": weights}


def read_rows(source: Source, indices: Int[Array | np.ndarray, " n"]) -> Rows:
    """Reads rows from a source, and checks that each array has one row per index.

    Raises:
        TypeError: the source does not return a dict.
        ValueError: it returns another number of rows, or raises StopIteration, which a generator
            that calls it would mistake for its own end.
    """
    wanted = f"examples must return a row for each of {len(indices)} indices"
    try:
        rows = source[np.asarray(indices)]
    except StopIteration as error:
        raise ValueError(f"{wanted}, got StopIteration.") from error
    check_instance("the result of examples[indices]", rows, Mapping)
    batch = {str(name): np.asarray(values) for name, values in rows.items()}
    lengths = {name: len(values) if values.ndim else None for name, values in batch.items()}
    if set(lengths.values()) != {len(indices)}:
        raise ValueError(f"{wanted}, got {lengths}.")
    return batch
