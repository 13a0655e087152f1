"""Short runs, one for each learning rate of a grid."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PyTree

from jaxtricks._array_checks import real_array
from jaxtricks._check_variables import check_variables
from jaxtricks._checks import check_function, check_instance, check_integer, check_key, shown
from jaxtricks.data import Order, count_examples, epoch_order
from jaxtricks.training import Trainer, train_epoch, train_population
from jaxtricks.tuning._uniform import LARGEST, SMALLEST

RATES = tuple(10.0 ** (half / 2) for half in range(-10, 1))  # 1e-5 to 1


class LearningRates(NamedTuple):
    """What `find_learning_rate` and `sweep_learning_rate` found.

    Attributes:
        best: the suggested rate; None if the loss fell at none of them.
        at_edge: whether it is the lowest or the highest rate that was tried: try others beyond it.
        rates: those tried, in rising order.
        losses: loss of each update, in training, before that update; NaN from the first one on
            that was not finite. `[rates, updates]`, or of a sweep `[rates]`, one update each.
        scores: what the suggestion is made from, `[rates]`: the mean loss of the last tenth of the
            updates; of a sweep the smoothed loss. The least one is not always suggested.
    """

    best: float | None
    at_edge: bool
    rates: Float[np.ndarray, " rates"]
    losses: Float[np.ndarray, "rates *updates"]
    scores: Float[np.ndarray, " rates"]


def find_learning_rate(
    make_trainer: Callable[[Any], Trainer],
    variables: Mapping[str, PyTree],
    examples: Mapping[str, Array],
    *,
    key: Key[Array, ""],
    rates: Sequence[float] = RATES,
    updates: int = 100,
    batch_size: int = 100,
) -> LearningRates:
    """Trains for some updates with each rate, and suggests the one with the least loss.

    All runs start from the same variables, which are not changed, see the same batches and draw
    the same masks. They are one compiled program.

    Args:
        make_trainer: `learning_rate -> trainer`, called once with a traced rate.
        variables: the model before the first update, from `model.init`.
        examples: a dict of arrays whose first axis is the example.
        key: for the order of the examples and what the model draws.
        rates: those to try, positive and rising, at least two; by default two a decade from 1e-5
            to 1.
        updates: of each run, at least 10; more than an epoch has go through the examples again.
        batch_size: at least 1 and at most as many as there are examples.

    Raises:
        ValueError: a number is out of its range, or the rates do not rise.
        TypeError: an argument is of another type, or `make_trainer` gives no trainer.

    Example:
        >>> import optax
        >>> from jaxtricks import training
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2, (model_state, {})
        >>> def make_trainer(learning_rate):
        ...     return training.trainer(loss, optax.sgd(learning_rate))
        >>> found = find_learning_rate(
        ...     make_trainer, {"params": jnp.zeros(())}, {"x": jnp.ones(4)}, key=jax.random.key(0),
        ...     rates=(0.001, 0.01, 0.1, 2.0), updates=10, batch_size=4,
        ... )
        >>> f"{found.best:.3g}", found.at_edge
        ('0.1', False)
    """
    check_function("make_trainer", make_trainer)
    check_variables(variables)
    check_instance("examples", examples, Mapping)
    check_key("key", key)
    values = check_rates(rates)
    check_integer("updates", updates, low=10)
    order_key, step_key = jax.random.split(key)
    order = order_of_updates(order_key, examples, updates, batch_size)

    def run(key: Key[Array, ""], rate: Array, variables: Any, examples: Any, order: Order) -> Array:
        trainer = made(make_trainer, rate)
        return losses_of(trainer, variables, examples, order, key)

    keys = jnp.broadcast_to(step_key, (len(values),))
    losses = train_population(
        run, keys, values.astype(np.float32), shared=(dict(variables), dict(examples), order)
    )
    scores = losses[:, -max(updates // 10, 1) :].mean(axis=1)
    fell = scores < losses[:, 0]
    best = int(np.argmin(np.where(fell, scores, np.inf))) if fell.any() else None
    return LearningRates(
        None if best is None else float(values[best]),
        best in (0, len(values) - 1),
        values,
        losses,
        scores,
    )


def made(make_trainer: Callable[[Any], Trainer], rate: Any) -> Trainer:
    """The trainer of a rate.

    Raises:
        TypeError: it is none.
    """
    trainer = make_trainer(rate)
    if not isinstance(trainer, Trainer):
        raise TypeError(f"make_trainer must give a Trainer, got a {type(trainer).__name__}.")
    return trainer


def losses_of(
    trainer: Trainer, variables: Any, examples: Any, order: Order, key: Key[Array, ""]
) -> Float[Array, " updates"]:
    """The loss of each update, NaN from the first one on that was not finite."""
    _, metrics = train_epoch(trainer, trainer.init(variables), examples, order, key=key)
    bad = ~jnp.isfinite(metrics["loss"])
    if "non_finite" in metrics:  # the update before had left something else not finite
        bad = bad | jnp.concatenate([jnp.zeros(1, bool), metrics["non_finite"][:-1] > 0])
    return jnp.where(jnp.cumsum(bad) > 0, jnp.nan, metrics["loss"])


def order_of_updates(
    key: Key[Array, ""], examples: Mapping[str, Array], updates: int, batch_size: int
) -> Order:
    """The batches of so many updates, through as many epochs as they take.

    Raises:
        ValueError: there is no example, or the batch is not between one example and all.
    """
    size = count_examples(examples)
    check_integer("batch_size", batch_size, low=1)
    if batch_size > size:
        raise ValueError(f"batch_size must not be over the {size} examples, got {batch_size}.")
    epochs = -(-updates // (size // batch_size))
    orders = [epoch_order(jax.random.fold_in(key, e), size, batch_size) for e in range(epochs)]
    return jax.tree.map(lambda *rows: jnp.concatenate(rows)[:updates], *orders)


def check_rates(rates: object) -> np.ndarray:
    """The learning rates as an array: positive and rising, at least two.

    Raises:
        TypeError: they are not numbers.
        ValueError: they are not one axis of at least two, one is not positive and finite, or they
            do not rise.
    """
    with np.errstate(over="ignore"):  # what is over single precision is named below
        real_array("rates", rates)
    values = np.asarray(rates, float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"rates must be at least two in a row, got {shown(rates)}.")
    held = np.clip(values, -LARGEST, LARGEST).astype(np.float32)
    inside = (values >= SMALLEST) & (values <= LARGEST)
    if not inside.all() or not (np.diff(held) > 0).all():
        raise ValueError(
            f"rates must be positive, finite and rising in single precision, got {shown(rates)}."
        )
    return values
