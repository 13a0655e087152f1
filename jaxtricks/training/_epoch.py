"""One pass over the examples as one scan, which freezes its state at the first NaN."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jaxtyping import Array, Int, Key

from jaxtricks._checks import check_functions, check_instance, check_integer, check_key
from jaxtricks._wide_dtype import wide_dtype
from jaxtricks.data import Order, count_examples, epoch_order, take_batch
from jaxtricks.training._loss import Batch, Metrics, divisor_of
from jaxtricks.training._state import TrainState, check_state
from jaxtricks.training._trainer import Trainer


def train_epoch(
    trainer: Trainer,
    state: TrainState,
    examples: Batch,
    order: Order,
    *,
    key: Key[Array, ""],
    unroll: int | bool = 1,
    sharding: NamedSharding | None = None,
) -> tuple[TrainState, Metrics]:
    """Trains one step for each row of `order`, as one scan.

    The examples stay where they are, as uint8 if they are, and each step gathers its rows. After
    the first step whose metrics say `non_finite > 0` the state is frozen at its value before that
    step, and its `step` says which step that was.

    Args:
        trainer: whose `step` it calls.
        state: before the epoch.
        examples: a dict of arrays whose first axis is the example.
        order: from `data.epoch_order`.
        key: of the whole run; the state's counter is folded in.
        unroll: steps per iteration of the loop, `True` for all of them: the same numbers, longer
            compilation. On a CPU a native convolution's gradient was 19 times slower inside
            a loop (see `choose_loop`).
        sharding: of a batch, to divide it among devices; None leaves it to the compiler.

    Returns:
        The state, and the metrics of each step, stacked. Jit it, and donate the state.

    Raises:
        TypeError: an argument is of another type.
        ValueError: `unroll` is under 1.

    Example:
        >>> import optax
        >>> from jaxtricks import training
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2, (model_state, {})
        >>> ours, examples = training.trainer(loss, optax.sgd(0.25)), {"x": jnp.array([1.0, 3.0])}
        >>> order = epoch_order(jax.random.key(1), 2, 1, order="cyclic")
        >>> state = ours.init({"params": jnp.zeros(())})
        >>> state, metrics = train_epoch(ours, state, examples, order, key=jax.random.key(0))
        >>> metrics["loss"].tolist(), float(state.params)
        ([1.0, 6.25], 1.75)
    """
    check_functions("trainer", trainer, Trainer)
    check_state("state", state)
    check_key("key", key)
    check_instance("examples", examples, Mapping)
    check_instance("order", order, Order)
    if not isinstance(unroll, bool):
        check_integer("unroll", unroll, low=1)
    if sharding is not None:
        check_instance("sharding", sharding, NamedSharding)

    def body(carry: tuple, row: Order) -> tuple[tuple, Metrics]:
        state, halted = carry
        batch = take_batch(examples, *row)
        if sharding is not None:
            batch = jax.lax.with_sharding_constraint(batch, sharding)
        new, metrics = trainer.step(state, batch, key)
        if "non_finite" not in metrics:
            return (new, halted), metrics
        halted = halted | (metrics["non_finite"] > 0)
        return (jax.tree.map(lambda a, b: jnp.where(halted, a, b), state, new), halted), metrics

    (state, _), metrics = jax.lax.scan(body, (state, jnp.zeros((), bool)), order, unroll=unroll)
    return state, metrics


def numbered_epoch(
    trainer: Trainer,
    state: TrainState,
    examples: Batch,
    number: Int[Array, ""],
    key: Key[Array, ""],
    batch_size: int,
    sharding: NamedSharding | None = None,
) -> tuple[TrainState, Metrics]:
    """The epoch of a number, from 0, and the means of its metrics, as `fit` and `run` have it.

    With `order_key, step_key = split(key)` its order is `epoch_order(fold_in(order_key, number))`,
    and step t draws from `fold_in(step_key, t)`.
    """
    _, step_key = jax.random.split(key)
    order = order_of(key, number, count_examples(examples), batch_size)
    state, metrics = train_epoch(trainer, state, examples, order, key=step_key, sharding=sharding)
    return state, mean_over_steps(metrics)


def order_of(key: Key[Array, ""], number: Int[Array, ""], size: int, batch_size: int) -> Order:
    """The order of the epoch of a number, from the run's key; every example counts once."""
    order_key, _ = jax.random.split(key)
    epoch_key = jax.random.fold_in(order_key, number)
    return epoch_order(epoch_key, size, batch_size, remainder="weight")


def mean_over_steps(metrics: Metrics) -> Metrics:
    """One number per metric from those of an epoch's steps.

    Means with the batches' weights, so a ragged last batch counts by its examples; of
    `"non_finite"` and `"weight"` the sums, of `"learning_rate"` the last.

    Raises:
        TypeError: `metrics` is not a dict.
        ValueError: it does not hold `"weight"`.

    Example:
        >>> steps = {"loss": jnp.array([1.0, 4.0]), "weight": jnp.array([3.0, 1.0])}
        >>> float(mean_over_steps(steps)["loss"])
        1.75
    """
    check_instance("metrics", metrics, Mapping)
    if "weight" not in metrics:
        raise ValueError(f'metrics must hold "weight", got {sorted(map(str, metrics))}.')
    weight = metrics["weight"].astype(wide_dtype(metrics["weight"].dtype))
    total = jnp.sum(weight)
    share = weight / divisor_of(total)
    means = {
        name: jnp.sum(share * jnp.where(weight == 0, 0, values.astype(share.dtype)))
        for name, values in metrics.items()
    }
    exceptions = {"weight": total}
    if "non_finite" in metrics:
        exceptions["non_finite"] = jnp.sum(metrics["non_finite"])
    if "learning_rate" in metrics:
        exceptions["learning_rate"] = metrics["learning_rate"][-1]
    return {**means, **exceptions}
