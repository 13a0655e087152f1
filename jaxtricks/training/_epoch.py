"""One epoch of training as one scan, whose state is frozen after a non-finite step."""

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
    """Trains for one epoch: one step for each row of `order`, as one `jax.lax.scan`.

    Call it under `jax.jit` and donate the state. The examples are neither copied nor converted as a
    whole: each step gathers its own rows. After the first step whose metric `"non_finite"` is above
    0 (see `trainer`), the state is frozen at its value before that step for the rest of the epoch,
    and `state.step` is the number of that step, counted from 0. A trainer with `diagnostics=False`
    never freezes the state.

    Args:
        trainer: the trainer whose `step` is called.
        state: the state before the epoch.
        examples: a dict of arrays whose first axis is the example.
        order: which examples each step uses, from `data.epoch_order`.
        key: the random key of the whole run; each step folds `state.step` into it.
        unroll: how many steps one iteration of the compiled loop holds; `True` means all of them.
            The results are the same, but compilation takes longer. On a CPU the gradient of
            `jax.lax.conv_general_dilated` was 19 times slower inside a loop than outside (see
            `choose_loop`).
        sharding: the sharding of a batch, to divide it among devices; None leaves the choice to the
            compiler.

    Returns:
        The state after the epoch, and the metrics of each step as arrays `[steps]`. Once the state
        is frozen, the metrics are those of steps taken from the frozen state.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: `unroll` is below 1.

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
    """Trains for epoch `number`, counted from 0, in the way that `fit` and `run` share.

    With `order_key, step_key = split(key)`, the order of the epoch is
    `epoch_order(fold_in(order_key, number))`, and the step at `state.step == t` draws from
    `fold_in(step_key, t)`.

    Returns:
        The state after the epoch, and the means of its metrics.
    """
    _, step_key = jax.random.split(key)
    order = order_of(key, number, count_examples(examples), batch_size)
    state, metrics = train_epoch(trainer, state, examples, order, key=step_key, sharding=sharding)
    return state, mean_over_steps(metrics)


def order_of(key: Key[Array, ""], number: Int[Array, ""], size: int, batch_size: int) -> Order:
    """Returns the order of epoch `number`, given the key of the run; every example counts once."""
    order_key, _ = jax.random.split(key)
    epoch_key = jax.random.fold_in(order_key, number)
    return epoch_order(epoch_key, size, batch_size, remainder="weight")


def mean_over_steps(metrics: Metrics) -> Metrics:
    """Reduces the metrics of an epoch's steps to one number per metric.

    A metric becomes its mean over the steps, weighted by `metrics["weight"]`, so that a ragged last
    batch counts by its number of examples. `"non_finite"` and `"weight"` become their sums, and
    `"learning_rate"` its value in the last step.

    Args:
        metrics: a dict of arrays `[steps]`, such as `train_epoch` returns; `"weight"` is the sum of
            the weights of each step.

    Returns:
        A dict with one number for each metric.

    Raises:
        TypeError: `metrics` is not a dict.
        ValueError: `metrics` does not hold `"weight"`.

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
