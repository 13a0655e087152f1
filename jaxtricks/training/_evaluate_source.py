"""Metrics over examples of which only a batch need fit into memory."""

import functools

import jax
import numpy as np
from jax.sharding import NamedSharding

from jaxtricks._checks import check_instance, check_integer
from jaxtricks.data import Order
from jaxtricks.training._devices import finished, place, whole
from jaxtricks.training._evaluate import EvalStep, padded_size
from jaxtricks.training._loss import Batch, Metrics
from jaxtricks.training._reading import over_batches
from jaxtricks.training._source import Examples, Rows, check_source, gather, own_rows, size_of
from jaxtricks.training._state import TrainState


def evaluate_source(
    eval_step: EvalStep,
    state: TrainState,
    source: Examples,
    batch_size: int,
    *,
    sharding: NamedSharding | None = None,
) -> dict[str, np.ndarray | np.generic]:
    """Means over all examples, which a thread reads batch by batch; every one counts once.

    The numbers of `evaluate`, which runs on arrays inside a program; this one is not for `jit`.

    Args:
        eval_step: from `make_eval_step`.
        state: the model.
        source: anything with `__len__` and `__getitem__(indices) -> dict of rows`, such as
            `data.TfdsSource`, or a dict of arrays.
        batch_size: at least 1.
        sharding: from `data_sharding`, to divide batches among devices. With several processes
            each reads only its rows.

    Raises:
        TypeError: an argument is of the wrong kind.
        ValueError: it is under 1, or the source has no example or gives too few rows.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from jaxtricks.training import init_state, make_eval_step
        >>> class Numbers:
        ...     def __len__(self):
        ...         return 3
        ...     def __getitem__(self, indices):
        ...         return {"x": np.float32([1, 2, 4])[indices]}
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2, (model_state, {})
        >>> state = init_state(jnp.zeros(()), optax.sgd(0.1))
        >>> float(evaluate_source(make_eval_step(loss), state, Numbers(), 2)["loss"])
        7.0

    References:
        S-MOD-02, S-STP-06; notes 000:25, 001:98-104.
    """
    check_integer("batch_size", batch_size, low=1)
    check_instance("state", state, TrainState)
    check_source("source", source)
    if sharding is not None:
        check_instance("sharding", sharding, NamedSharding)
    size = size_of(source)
    rows = padded_size(batch_size, size, sharding)
    places = np.arange(-(-size // rows) * rows).reshape(-1, rows)
    in_turn = Order(places % size, np.float32(places < size))

    def sums(rows: Rows) -> Metrics:
        batch = placed_rows(sharding, rows)
        return finished(sums_of(eval_step, sharding, state, batch), sharding)

    total: dict[str, np.ndarray | np.generic] = {}
    for part in over_batches(sums, functools.partial(own_part, source, sharding), in_turn):
        total = {name: value + total.get(name, 0) for name, value in part.items()}
    return {name: value / total["weight"] for name, value in total.items() if name != "weight"}


@functools.partial(jax.jit, static_argnums=(0, 1))
def sums_of(
    eval_step: EvalStep, sharding: NamedSharding | None, state: TrainState, batch: Batch
) -> Metrics:
    """The sums over one batch."""
    return whole(eval_step(state, batch), sharding)


def own_part(
    examples: Examples, sharding: NamedSharding | None, indices: np.ndarray, weights: np.ndarray
) -> Rows:
    """The rows of a batch that lie on this process's devices."""
    mine = own_rows(sharding, len(indices))
    return gather(examples, indices[mine], weights[mine])


def placed_rows(sharding: NamedSharding | None, rows: Rows) -> Batch:
    """The rows on the devices that have them; without a sharding `jit` moves them."""
    return rows if sharding is None else place(rows, sharding)
