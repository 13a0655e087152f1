"""One run whose learning rate grows in every update, from far too low to far too high."""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, PyTree

from jaxtricks._check_variables import check_variables
from jaxtricks._checks import check_function, check_instance, check_integer, check_key, check_range
from jaxtricks._types import ScalarLike
from jaxtricks.training import Trainer
from jaxtricks.tuning._find_learning_rate import (
    LearningRates,
    losses_of,
    made,
    order_of_updates,
)
from jaxtricks.tuning._uniform import LARGEST, SMALLEST


def sweep_learning_rate(
    make_trainer: Callable[[Any], Trainer],
    variables: Mapping[str, PyTree],
    examples: Mapping[str, Array],
    *,
    key: Key[Array, ""],
    low: ScalarLike = 1e-6,
    high: ScalarLike = 1.0,
    updates: int = 100,
    batch_size: int = 100,
    smoothing: ScalarLike = 0.9,
) -> LearningRates:
    r"""Multiplies the rate by the same factor in every update, and looks at the loss.

    Update $t$ of $T$ has the rate $\alpha_t = \text{low} (\text{high}/\text{low})^{t/(T-1)}$. The
    losses are smoothed, $m_t = \beta m_{t-1} + (1-\beta) \ell_t$, divided by $1-\beta^{t+1}$. The
    rate at which the smoothed loss falls most steeply in $\log \alpha$ is suggested, among those
    before its least value. It costs one run, where `find_learning_rate` costs one for each rate,
    and is less certain: what a rate does shows after some updates, when it is another one already.

    Args:
        make_trainer: `learning_rate -> trainer`, called once, with a schedule.
        variables: the model before the first update, from `model.init`; it is not changed.
        examples: a dict of arrays whose first axis is the example.
        key: for the order of the examples and what the model draws.
        low: the first rate, above 0.
        high: the last one, above `low`.
        updates: $T \ge 10$; more than an epoch has go through the examples again.
        batch_size: at least 1 and at most as many as there are examples.
        smoothing: $\beta$, from 0 to below 1.

    Returns:
        The rates, losses and smoothed losses (`scores`) of the updates, and the suggestion.

    Raises:
        ValueError: a number is out of its range.
        TypeError: an argument is of another type, or `make_trainer` gives no trainer.

    Example:
        >>> import optax
        >>> from jaxtricks import training
        >>> def loss(params, model_state, batch, keys, *, train):
        ...     return (params - batch["x"]) ** 2, (model_state, {})
        >>> def make_trainer(learning_rate):
        ...     return training.trainer(loss, optax.sgd(learning_rate))
        >>> found = sweep_learning_rate(
        ...     make_trainer, {"params": jnp.zeros(())}, {"x": jnp.ones(4)}, key=jax.random.key(0),
        ...     batch_size=4,
        ... )
        >>> 0.01 < found.best < 0.2
        True

    References:
        Smith, [Cyclical learning rates for training neural networks](
        https://arxiv.org/abs/1506.01186), 2017, section 3.3.
    """
    check_function("make_trainer", make_trainer)
    check_variables(variables)
    check_instance("examples", examples, Mapping)
    check_key("key", key)
    check_range("low", low, low=SMALLEST)
    check_range("high", high, high=LARGEST)
    if float(low) >= float(high):
        raise ValueError(f"low must be below high, got {low} and {high}.")
    check_integer("updates", updates, low=10)
    check_range("smoothing", smoothing, low=0.0, below=1.0)
    factor = math.log(float(high) / float(low)) / (updates - 1)
    order_key, step_key = jax.random.split(key)
    order = order_of_updates(order_key, examples, updates, batch_size)

    def rate(count: Any) -> Array:
        return jnp.float32(low) * jnp.exp(jnp.float32(factor) * jnp.asarray(count, jnp.float32))

    trainer = made(make_trainer, rate)
    run = jax.jit(functools.partial(losses_of, trainer))
    losses = np.asarray(run(dict(variables), dict(examples), order, step_key))
    rates = np.float32(float(low) * np.exp(factor * np.arange(updates)))
    smoothed = smooth(losses, float(smoothing))
    best = steepest(smoothed)
    at_edge = best in (0, updates - 1)
    return LearningRates(
        None if best is None else float(rates[best]), at_edge, rates, losses, smoothed
    )


def smooth(losses: np.ndarray, smoothing: float) -> np.ndarray:
    """Exponential average with the bias of its start corrected."""
    mean, means = 0.0, []
    for t, loss in enumerate(losses):
        mean = smoothing * mean + (1 - smoothing) * float(loss)
        means.append(mean / (1 - smoothing ** (t + 1)))
    return np.float32(means)


def steepest(smoothed: np.ndarray) -> int | None:
    """Where the smoothed loss falls most steeply before its least value; None if it never falls."""
    if not np.isfinite(smoothed).any():
        return None
    end = int(np.nanargmin(smoothed))
    return int(np.argmin(np.gradient(smoothed[: end + 1]))) if end else None
