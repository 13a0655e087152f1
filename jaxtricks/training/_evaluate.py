"""Weighted means of the metrics over all examples, each counted once."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jaxtyping import Array, PyTree

from jaxtricks._check_fits import check_rows_fit
from jaxtricks._checks import check_functions, check_instance, check_integer
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.data import Examples, Order, count_examples, epoch_order, take_batch
from jaxtricks.training._feed import feed, fetch_behind
from jaxtricks.training._loss import Batch, Metrics
from jaxtricks.training._split_variables import check_model_variables
from jaxtricks.training._trainer import Trainer
from jaxtricks.training.devices._sharding import block_on_cpu, replicate

Numbers = dict[str, np.ndarray | np.generic]


def evaluate(
    trainer: Trainer,
    variables: Mapping[str, PyTree],
    examples: Examples,
    batch_size: int,
    *,
    sharding: NamedSharding | None = None,
) -> dict[str, Any]:
    """Returns the weighted means of the loss and of each metric over all examples.

    The weights are the entry `"weight"` of the examples, or 1 without that entry. A dict of arrays
    is evaluated by one compiled program; this also works under `jit` and `vmap`. A data source,
    which may be larger than memory, is read batch by batch in threads; if `sharding` spans several
    processes, each reads only the rows of its own devices. The last batch is padded with examples
    of weight 0.

    Args:
        trainer: the trainer whose `evaluate` is called.
        variables: the variables of the model, such as `trainer.variables(state)` or the
            `best_variables` of the result of `fit`.
        examples: a dict of arrays whose first axis is the example, or a data source such as
            `data.TfdsSource`.
        batch_size: the number of examples per batch, at least 1; if it is larger than the number of
            examples, there is one batch of all of them.
        sharding: from `data_sharding`, to divide each batch among devices.

    Returns:
        A dict with one number for each metric, `"loss"` among them: JAX arrays, or NumPy numbers
        for a data source. The numbers are NaN if the sum of the weights is 0 or infinite.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: there are no examples, the arrays differ in length, `batch_size` is below 1, a
            number does not fit into the dtype to which JAX converts it, or `variables` has no
            `"params"`.

    Example:
        >>> import optax
        >>> from jaxtricks import training
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2, (model_state, {})
        >>> ours, variables = training.trainer(loss, optax.sgd(0.1)), {"params": jnp.zeros(())}
        >>> evaluate(ours, variables, {"x": jnp.array([1.0, 2.0, 4.0])}, batch_size=2)
        {'loss': Array(7., dtype=float32)}
    """
    check_functions("trainer", trainer, Trainer)
    check_model_variables(variables)
    check_integer("batch_size", batch_size, low=1)
    size = count_examples(examples)
    if sharding is not None:
        check_instance("sharding", sharding, NamedSharding)
    rows = padded_size(batch_size, size, sharding)
    if isinstance(examples, Mapping):
        check_rows_fit(examples)
        given = (trainer.evaluate, rows, sharding, variables, dict(examples))
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(given[3:])):
            return evaluate_in_program(*given)  # the cache of `jit` would keep the tracers
        return block_on_cpu(evaluate_arrays(*given), sharding)
    return evaluate_batches(trainer.evaluate, rows, sharding, variables, examples)


def evaluate_in_program(
    evaluate_batch: Callable[[Mapping[str, PyTree], Batch], Metrics],
    batch_size: int,
    sharding: NamedSharding | None,
    variables: Mapping[str, PyTree],
    examples: Batch,
) -> Metrics:
    """Computes the means as one program: a scan over the batches."""
    size = count_examples(examples)
    order = epoch_order(jax.random.key(0), size, batch_size, order="cyclic", remainder="weight")

    def sums_of(indices: Array, weights: Array) -> Metrics:
        batch = take_batch(examples, indices, weights)
        if sharding is not None:
            batch = jax.lax.with_sharding_constraint(batch, sharding)
        return evaluate_batch(variables, batch)

    def body(_: None, row: Order) -> tuple[None, Metrics]:
        return None, sums_of(*row)

    _, sums = jax.lax.scan(body, None, order)
    sums = {name: jnp.sum(values, axis=0) for name, values in sums.items()}
    return replicate(means_of(sums), sharding)


evaluate_arrays = jax.jit(evaluate_in_program, static_argnums=(0, 1, 2))


def evaluate_batches(
    evaluate_batch: Callable[[Mapping[str, PyTree], Batch], Metrics],
    batch_size: int,
    sharding: NamedSharding | None,
    variables: Mapping[str, PyTree],
    examples: Examples,
) -> Numbers:
    """Computes the means from batches that are read while the device computes."""
    batches = feed(
        examples,
        sharding,
        key=jax.random.key(0),
        batch_size=batch_size,
        epochs=1,
        order="cyclic",
    )
    results = (
        block_on_cpu(batch_sums(evaluate_batch, sharding, variables, batch), sharding)
        for batch in batches
    )
    total: Numbers = {}
    for sums in fetch_behind(results):
        wide = {name: value.astype(np.float64) for name, value in sums.items()}
        total = {name: value + total.get(name, 0) for name, value in wide.items()}
    dtypes = {name: wide_dtype(value.dtype) for name, value in sums.items()}
    return {name: value.astype(dtypes[name]) for name, value in means_of(total).items()}


@functools.partial(jax.jit, static_argnums=(0, 1))
def batch_sums(
    evaluate_batch: Callable[[Mapping[str, PyTree], Batch], Metrics],
    sharding: NamedSharding | None,
    variables: Mapping[str, PyTree],
    batch: Batch,
) -> Metrics:
    """Computes the weighted sums over one batch."""
    return replicate(evaluate_batch(variables, batch), sharding)


def means_of(sums: Mapping) -> dict:
    """Divides weighted sums by the sum of the weights; the means are NaN if that is infinite."""
    xp = np if isinstance(sums["weight"], np.ndarray | np.generic) else jnp
    mass = xp.where(xp.isfinite(sums["weight"]), sums["weight"], xp.nan)
    return {name: value / mass for name, value in sums.items() if name != "weight"}


def padded_size(batch_size: int, size: int, sharding: NamedSharding | None) -> int:
    """Returns the number of rows of an evaluation batch.

    It is `batch_size`, or `size` if that is smaller, rounded up to a multiple of the number of
    devices.
    """
    devices = 1 if sharding is None else sharding.num_devices
    return -(-min(batch_size, size) // devices) * devices
