"""One pass over the examples as one scan, which stops itself at the first NaN."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jaxtyping import Array, Key

from jaxtricks.data import Order
from jaxtricks.training._evaluate import take
from jaxtricks.training._loss import Batch, Metrics
from jaxtricks.training._state import TrainState
from jaxtricks.training._step import TrainStep

TrainEpoch = Callable[[TrainState, Batch, Order, Key[Array, ""]], tuple[TrainState, Metrics]]


def make_train_epoch(
    step: TrainStep, *, unroll: int | bool = 1, sharding: NamedSharding | None = None
) -> TrainEpoch:
    """Makes `epoch(state, examples, order, key) -> (state, metrics)`: one step per row of `order`.

    The examples stay where they are, as uint8 if they are, and each step gathers its rows. From
    the first step on whose metrics say `non_finite > 0` the state does not change any more: it is
    the one before that step, and its `step` says which step that was.

    Args:
        step: from `make_train_step`, not jitted.
        unroll: steps per iteration of the loop, `True` for all of them: the same numbers, longer
            compilation. On a CPU a native convolution's gradient was 19 times slower inside
            a loop (see `loop_form`).
        sharding: of a batch, to divide it among devices; None leaves it to the compiler.

    Returns:
        The epoch; its metrics are those of each step, stacked. Jit it, and donate the state.

    Example:
        >>> import optax
        >>> from jaxtricks.data import epoch_order
        >>> from jaxtricks.training import init_state, make_train_step
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2, (model_state, {})
        >>> tx, examples = optax.sgd(0.25), {"x": jnp.array([1.0, 3.0])}
        >>> epoch = jax.jit(make_train_epoch(make_train_step(loss, tx)))
        >>> key, order = jax.random.key(0), epoch_order(jax.random.key(1), 2, 1, order="cyclic")
        >>> state, metrics = epoch(init_state(jnp.zeros(()), tx), examples, order, key)
        >>> metrics["loss"].tolist(), float(state.params)
        ([1.0, 6.25], 1.75)
    """

    def epoch(
        state: TrainState, examples: Batch, order: Order, key: Key[Array, ""]
    ) -> tuple[TrainState, Metrics]:
        def body(carry: tuple, row: tuple) -> tuple[tuple, Metrics]:
            state, halted = carry
            batch = take(examples, *row)
            if sharding is not None:
                batch = jax.lax.with_sharding_constraint(batch, sharding)
            new, metrics = step(state, batch, key)
            if "non_finite" not in metrics:
                return (new, halted), metrics
            halted = halted | (metrics["non_finite"] > 0)
            return (jax.tree.map(lambda a, b: jnp.where(halted, a, b), state, new), halted), metrics

        start = (state, jnp.zeros((), bool))
        (state, _), metrics = jax.lax.scan(body, start, tuple(order), unroll=unroll)
        return state, metrics

    return epoch


def mean_over_steps(metrics: Metrics) -> Metrics:
    """One number per metric from those of an epoch's steps.

    Means with the batches' weights, so a ragged last batch counts by its examples; of
    `"non_finite"` and `"weight"` the sums, of `"learning_rate"` the last.

    Example:
        >>> steps = {"loss": jnp.array([1.0, 4.0]), "weight": jnp.array([3.0, 1.0])}
        >>> float(mean_over_steps(steps)["loss"])
        1.75
    """
    weight = metrics["weight"]
    total = jnp.sum(weight)
    means = {
        name: jnp.sum(weight * values) / jnp.where(total > 0, total, 1)
        for name, values in metrics.items()
    }
    exceptions = {"weight": total}
    if "non_finite" in metrics:
        exceptions["non_finite"] = jnp.sum(metrics["non_finite"])
    if "learning_rate" in metrics:
        exceptions["learning_rate"] = metrics["learning_rate"][-1]
    return {**means, **exceptions}
