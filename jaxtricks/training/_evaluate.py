"""Metrics over a whole split, every example counted once."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jaxtyping import Array

from jaxtricks._checks import check_instance, check_integer
from jaxtricks.data import epoch_order
from jaxtricks.training._loss import (
    Batch,
    Loss,
    Metrics,
    parts_of_loss,
    weighted_sums_of,
    with_weight,
)
from jaxtricks.training._state import TrainState
from jaxtricks.training._step import across

EvalStep = Callable[[TrainState, Batch], Metrics]


def make_eval_step(loss: Loss, *, axis_name: str | None = None) -> EvalStep:
    """Makes `step(state, batch) -> sums`: weighted sums of the loss and metrics, and the weight.

    Sums of several batches add up; divide by `sums["weight"]` at the end. The model is called with
    `train=False` and no keys, so the answer is deterministic.

    Args:
        loss: per-example losses, see `Loss`.
        axis_name: of a mapped axis to sum over; else None.

    Raises:
        ValueError: when the step is traced, if `loss` gives something else than one number per
            example, or a metric by a name that a train step itself uses.

    Example:
        >>> from jaxtricks.training import init_state
        >>> import optax
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2, (model_state, {})
        >>> state = init_state(jnp.zeros(()), optax.sgd(0.1))
        >>> sums = make_eval_step(loss)(state, {"x": jnp.array([1.0, 2.0])})
        >>> float(sums["loss"]), float(sums["weight"])
        (5.0, 2.0)

    References:
        S-MOD-02, S-STP-06; notes 000:25, 001:98-104.
    """

    def step(state: TrainState, batch: Batch) -> Metrics:
        batch = with_weight(batch)
        given = loss(state.params, state.model_state, batch, {}, train=False)
        losses, (_, metrics) = parts_of_loss(given)
        weight = batch["weight"]
        sums = weighted_sums_of(losses, metrics, weight)
        return across({**sums, "weight": jnp.sum(weight)}, axis_name)

    return step


def evaluate(
    eval_step: EvalStep,
    state: TrainState,
    examples: Batch,
    batch_size: int,
    *,
    sharding: NamedSharding | None = None,
) -> Metrics:
    """Means over all examples, in batches of which the last is padded with weight 0.

    One `lax.scan`: jit it, with `batch_size` static.

    Args:
        eval_step: from `make_eval_step`.
        state: the model.
        examples: a dict of arrays whose first axis is the example.
        batch_size: at least 1; a larger one than there are examples means all at once.
        sharding: of a batch, to divide it among devices, of which each gets as many rows; None
            leaves it to the compiler.

    Raises:
        TypeError: `examples` is no dict, or `state` no `TrainState`.
        ValueError: there is no example, the arrays differ in length, or `batch_size` is under 1.

    Example:
        >>> import optax
        >>> from jaxtricks.training import init_state
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2, (model_state, {})
        >>> state, eval_step = init_state(jnp.zeros(()), optax.sgd(0.1)), make_eval_step(loss)
        >>> evaluate(eval_step, state, {"x": jnp.array([1.0, 2.0, 4.0])}, batch_size=2)
        {'loss': Array(7., dtype=float32)}
    """
    check_integer("batch_size", batch_size, low=1)
    check_instance("state", state, TrainState)
    size = size_of_arrays("examples", examples)
    rows = padded_size(batch_size, size, sharding)
    order = epoch_order(jax.random.key(0), size, rows, order="cyclic", remainder="weight")

    def sums_of(indices: Array, weights: Array) -> Metrics:
        batch = take(examples, indices, weights)
        if sharding is not None:
            batch = jax.lax.with_sharding_constraint(batch, sharding)
        return eval_step(state, batch)

    def body(total: Metrics, row: tuple) -> tuple[Metrics, None]:
        return jax.tree.map(jnp.add, total, sums_of(*row)), None

    shapes = jax.eval_shape(sums_of, order.indices[0], order.weights[0])
    nothing = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
    sums, _ = jax.lax.scan(body, nothing, tuple(order))
    return {name: value / sums["weight"] for name, value in sums.items() if name != "weight"}


def size_of_arrays(name: str, examples: Batch) -> int:
    """The number of examples: an index out of range would be clipped without a word.

    Raises:
        TypeError: this is no dict.
        ValueError: there is no example, or the arrays differ in length.
    """
    check_instance(name, examples, Mapping)
    sizes = {key: len(values) for key, values in examples.items()}
    if len(set(sizes.values())) != 1 or not min(sizes.values()):
        raise ValueError(f"{name} must have arrays of one length, at least 1, got {sizes}.")
    return next(iter(sizes.values()))


def padded_size(batch_size: int, size: int, sharding: NamedSharding | None) -> int:
    """Rows of an evaluation batch: no more than there are examples, but as many on each device."""
    devices = 1 if sharding is None else sharding.num_devices
    return -(-min(batch_size, size) // devices) * devices


def take(examples: Batch, indices: Array, weights: Array) -> dict[str, Array]:
    """The rows of a batch; a weight of the examples' own is multiplied by the batch's."""
    batch = {name: jnp.asarray(values)[indices] for name, values in examples.items()}
    return {**batch, "weight": weights * batch.get("weight", 1)}
