"""A learning rate from short runs, one for each learning rate of a grid."""

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
    """The result of `find_learning_rate` and `sweep_learning_rate`.

    Attributes:
        best: the suggested learning rate; None if the loss did not fall with any rate.
        at_edge: whether `best` is the lowest or the highest rate tried; then try rates beyond it.
        rates: the learning rates tried, in increasing order.
        losses: training loss before each update; NaN from the first non-finite update on. The shape
            is `[rates, updates]` from `find_learning_rate`, and `[rates]` from
            `sweep_learning_rate`, which makes one update with each rate.
        scores: the numbers on which `best` is based, `[rates]`: from `find_learning_rate` the mean
            loss of the last tenth of the updates, from `sweep_learning_rate` the smoothed loss.
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
    """Trains for a few updates with each learning rate, and suggests the one with the lowest loss.

    All runs start from the same variables, which are not changed, and use the same batches and the
    same random keys. They run as one compiled program. The loss that is compared is the mean over
    the last tenth of the updates. A rate with which it is not below the loss before the first
    update is not suggested.

    Args:
        make_trainer: a function from a learning rate to a trainer (`training.trainer`), called once
            with a traced learning rate.
        variables: the model's variables before the first update, from `model.init`.
        examples: a dict of arrays whose first axis is the example.
        key: random key for the order of the examples and for the model's own draws.
        rates: the learning rates to try, positive and increasing, at least two; by default two per
            factor of 10 from 1e-5 to 1.
        updates: number of updates of each run, at least 10; they may take several epochs.
        batch_size: number of examples per batch, from 1 to the number of examples.

    Returns:
        The suggested learning rate, and the losses of all runs.

    Raises:
        ValueError: a number is out of range, the rates are not increasing, there is no example, or
            the arrays of `examples` differ in length.
        TypeError: an argument has a wrong type, or `make_trainer` does not return a trainer.

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
    """Makes the trainer for a learning rate or a schedule.

    Raises:
        TypeError: `make_trainer` does not return a trainer.
    """
    trainer = make_trainer(rate)
    if not isinstance(trainer, Trainer):
        raise TypeError(f"make_trainer must return a Trainer, got a {type(trainer).__name__}.")
    return trainer


def losses_of(
    trainer: Trainer, variables: Any, examples: Any, order: Order, key: Key[Array, ""]
) -> Float[Array, " updates"]:
    """Computes the loss before each update; NaN from the first non-finite update on."""
    _, metrics = train_epoch(trainer, trainer.init(variables), examples, order, key=key)
    bad = ~jnp.isfinite(metrics["loss"])
    if "non_finite" in metrics:  # the previous update left a value other than the loss not finite
        bad = bad | jnp.concatenate([jnp.zeros(1, bool), metrics["non_finite"][:-1] > 0])
    return jnp.where(jnp.cumsum(bad) > 0, jnp.nan, metrics["loss"])


def order_of_updates(
    key: Key[Array, ""], examples: Mapping[str, Array], updates: int, batch_size: int
) -> Order:
    """Chooses the examples of each batch for a number of updates, over several epochs if needed.

    Raises:
        ValueError: there is no example, or `batch_size` is not from 1 to the number of examples.
    """
    size = count_examples(examples)
    check_integer("batch_size", batch_size, low=1)
    if batch_size > size:
        raise ValueError(f"batch_size must be at most the {size} examples, got {batch_size}.")
    epochs = -(-updates // (size // batch_size))
    orders = [epoch_order(jax.random.fold_in(key, e), size, batch_size) for e in range(epochs)]
    return jax.tree.map(lambda *rows: jnp.concatenate(rows)[:updates], *orders)


def check_rates(rates: object) -> np.ndarray:
    """Checks learning rates and converts them to an array.

    Raises:
        TypeError: the rates are not numbers.
        ValueError: the rates are not a row of at least two positive, finite, increasing numbers.
    """
    with np.errstate(over="ignore"):  # values too large for float32 raise the error below
        real_array("rates", rates)
    values = np.asarray(rates, float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"rates must be a row of two or more numbers, got {shown(rates)}.")
    held = np.clip(values, -LARGEST, LARGEST).astype(np.float32)
    inside = (values >= SMALLEST) & (values <= LARGEST)
    if not inside.all() or not (np.diff(held) > 0).all():
        raise ValueError(
            f"rates must be positive, finite and increasing in float32, got {shown(rates)}."
        )
    return values
