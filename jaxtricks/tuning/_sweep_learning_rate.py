"""A learning rate from one run in which it grows with each update (learning-rate range test)."""

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
    r"""Runs a learning-rate range test: one short run with a growing learning rate.

    Update $t = 0, \dots, T - 1$ has the learning rate
    $\alpha_t = \text{low} (\text{high}/\text{low})^{t/(T-1)}$. The losses $\ell_t$ are smoothed by
    $m_t = \beta m_{t-1} + (1-\beta) \ell_t$ with $m_{-1} = 0$, divided by $1-\beta^{t+1}$. The
    suggestion is the rate at which the smoothed loss falls most steeply in $\log \alpha$, among the
    updates up to its minimum. The test costs one run, while `find_learning_rate` costs one run for
    each rate. But the test is less reliable, because the effect of a learning rate shows only after
    several updates.

    Args:
        make_trainer: a function from a learning rate to a trainer (`training.trainer`), called once
            with a schedule as the learning rate.
        variables: the model's variables before the first update, from `model.init`; they are not
            changed.
        examples: a dict of arrays whose first axis is the example.
        key: random key for the order of the examples and for the model's own draws.
        low: the first learning rate, above 0.
        high: the last learning rate, above `low`.
        updates: $T$, the number of updates, at least 10; they may take several epochs.
        batch_size: number of examples per batch, from 1 to the number of examples.
        smoothing: $\beta$, in `[0, 1)`; 0 does not smooth.

    Returns:
        The suggested learning rate, and the rates, losses and smoothed losses (`scores`).

    Raises:
        ValueError: a number is out of range, there is no example, or the arrays of `examples`
            differ in length.
        TypeError: an argument has a wrong type, or `make_trainer` does not return a trainer.

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
    """Computes the exponential moving average of the losses, with bias correction."""
    mean, means = 0.0, []
    for t, loss in enumerate(losses):
        mean = smoothing * mean + (1 - smoothing) * float(loss)
        means.append(mean / (1 - smoothing ** (t + 1)))
    return np.float32(means)


def steepest(smoothed: np.ndarray) -> int | None:
    """Finds the steepest fall of the smoothed loss before its minimum; None if it never falls."""
    if not np.isfinite(smoothed).any():
        return None
    end = int(np.nanargmin(smoothed))
    return int(np.argmin(np.gradient(smoothed[: end + 1]))) if end else None
