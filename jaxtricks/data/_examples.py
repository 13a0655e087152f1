"""What examples are, how many there are, and how a batch is taken from them."""

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
    """Examples that need not fit into memory, such as `TfdsSource`."""

    def __len__(self) -> int:
        """The number of examples."""
        ...

    def __getitem__(self, indices: Int[np.ndarray, " n"], /) -> Arrays:
        """The examples with these numbers, in this order: a dict of arrays."""
        ...


Examples = TypeAliasType("Examples", Arrays | Source)
Rows = dict[str, Any]  # arrays, on the host or on the device


def count_examples(examples: Examples, *, name: str = "examples") -> int:
    """The number of examples, at least 1.

    Args:
        examples: a dict of arrays whose first axis is the example, or a `Source`.
        name: what an error calls them.

    Raises:
        TypeError: `examples` is neither.
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
    """Checks what is not a dict of arrays.

    Raises:
        TypeError: it is no `Source` either.
    """
    sequence = isinstance(examples, tuple | list | np.ndarray | jax.Array | str)
    if sequence or not isinstance(examples, Source):
        raise TypeError(
            f"{name} must be a dict of arrays, or have __len__ and __getitem__, "
            f"got a {type(examples).__name__}."
        )


def check_rows(name: str, values: object) -> None:
    """Checks an array with an axis of examples.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(values, np.ndarray | jax.Array) or not values.ndim:
        raise TypeError(f"{name} must be an array with an axis of examples, got {shown(values)}.")


def take_batch(
    examples: Examples,
    indices: Int[Array | np.ndarray, " n"],
    weights: Float[Array | np.ndarray, " n"],
) -> Rows:
    """The examples with these numbers as a batch, with the entry `"weight"`.

    NumPy indices give NumPy arrays, on the host; JAX indices give JAX arrays, also under `jit`.

    Args:
        examples: a dict of arrays whose first axis is the example, or, on the host, a `Source`.
        indices: which examples, each under their number: JAX clips larger ones silently.
        weights: of the places in the batch, 0 for padding. The examples' own `"weight"`, if they
            have one, is multiplied by it.

    Raises:
        TypeError: a source does not give a dict, `examples` are neither, or `indices` and `weights`
            are not arrays.
        ValueError: a source gives more or fewer rows than there are indices, or has none left to
            give (StopIteration), or a number of an example does not fit into the dtype in which
            JAX holds it.

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
    """The rows of a source, each entry with one for each index.

    Raises:
        TypeError: the source does not give a dict.
        ValueError: it gives more or fewer rows, or raises StopIteration, which a loop around it
            would take for its own end.
    """
    wanted = f"examples must give a row for each of {len(indices)} indices"
    try:
        rows = source[np.asarray(indices)]
    except StopIteration as error:
        raise ValueError(f"{wanted}, got StopIteration.") from error
    check_instance("what the examples give", rows, Mapping)
    batch = {str(name): np.asarray(values) for name, values in rows.items()}
    lengths = {name: len(values) if values.ndim else None for name, values in batch.items()}
    if set(lengths.values()) != {len(indices)}:
        raise ValueError(f"{wanted}, got {lengths}.")
    return batch
