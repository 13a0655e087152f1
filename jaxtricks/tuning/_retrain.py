"""Training with chosen hyper-parameters again, with new random keys."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy.stats
from jaxtyping import Array, Float, PyTree, Shaped

from jaxtricks._checks import (
    check_instance,
    check_integer,
    check_range,
    is_real,
    shown,
)
from jaxtricks._types import ScalarLike
from jaxtricks.training import train_population
from jaxtricks.tuning._best import Best
from jaxtricks.tuning._trials import check_takes, program, traced_rows


class Retrained(NamedTuple):
    """The result of `retrain`.

    Attributes:
        mean: mean of the result `by` over the keys.
        low: lower end of the confidence interval of the mean.
        high: upper end of the confidence interval.
        results: the results of the runs by name: numbers as `[keys]`, curves as `[keys, length]`.
    """

    mean: float
    low: float
    high: float
    results: dict[str, np.ndarray]


def retrain(
    keys: Shaped[Array, " keys"],
    run: Callable[..., Any],
    hyper_parameters: Any,
    *,
    shared: tuple[PyTree, ...] = (),
    epochs: int | None = None,
    by: str = "loss",
    level: ScalarLike = 0.95,
) -> Retrained:
    r"""Runs chosen hyper-parameters again with new keys, and estimates their mean result.

    The best result of a search is too good an estimate, because the trial was chosen partly for the
    luck of its key. So use keys that the search did not use. The confidence interval is Student's,
    $\bar x \pm t_{n-1} s / \sqrt n$ for $n$ keys.

    Args:
        keys: random keys, one for each run, at least two.
        run: the function to run, as for `search`: `run(key, hyper_parameters, *shared)` returns a
            number, which is the loss, or a dict of numbers and of curves with one axis.
        hyper_parameters: a tree of single values, such as `best(found).hyper_parameters`. NumPy and
            JAX numbers are traced; Python numbers and all other values are static.
        shared: further arguments of `run`.
        epochs: the number of epochs to train, if `run` takes `position` and `epochs` as in a search
            with `rungs`; the call is `run(key, hyper_parameters, None, epochs, *shared)` and
            returns `(results, position)`. None if `run` takes no such arguments.
        by: the name of the result whose mean is computed; of a curve, the last value counts.
        level: confidence level of the interval, between 0 and 1, both excluded.

    Returns:
        The mean, its confidence interval and the results of all runs.

    Raises:
        ValueError: there are fewer than two keys, there is no result `by`, or `epochs` or `level`
            is out of range.
        TypeError: an argument has a wrong type.

    Example:
        >>> def run(key, rate):
        ...     return rate + jax.random.normal(key)
        >>> keys = jax.random.split(jax.random.key(0), 100)
        >>> found = retrain(keys, run, np.float32(3.0))
        >>> found.low < 3.0 < found.high
        True
    """
    check_instance("shared", shared, tuple)
    if isinstance(hyper_parameters, Best):
        raise TypeError(
            "hyper_parameters must be a tree of values, got a Best: pass its hyper_parameters."
        )
    check_instance("by", by, str)
    check_range("level", level, above=0.0, below=1.0)
    if epochs is not None:
        check_integer("epochs", epochs, low=1)
    check_takes(run, 2 + 2 * (epochs is not None) + len(shared))
    if np.ndim(keys) == 1 and len(keys) < 2:
        raise ValueError(f"keys must be at least two for an interval, got {len(keys)}.")
    rows = jax.tree.map(as_row, hyper_parameters)
    once = traced_rows(rows, [0] * len(keys)) if np.ndim(keys) == 1 else []
    call = program(run, rows, 0, 0, None if epochs is None else int(epochs))
    out = train_population(call, keys, once, shared=shared)
    out = out if epochs is None else out[0]
    if by not in out:
        raise ValueError(f"by must be one of the results {sorted(out)}, got {by!r}.")
    return Retrained(*interval(np.reshape(out[by], (len(keys), -1))[:, -1], level), out)


def as_row(value: Any) -> np.ndarray:
    """Converts a value to an array of length 1.

    NumPy and JAX numbers become traced; other values become static, with the dtype object.

    Raises:
        TypeError: the value is an array with axes, or an array of something other than numbers.
    """
    if isinstance(value, np.generic | np.ndarray | jax.Array):
        if value.ndim or not is_real(value.dtype):
            raise TypeError(
                f"hyper_parameters must hold single numbers or static values, got {shown(value)}."
            )
        return np.asarray(value).reshape(1)
    row = np.empty(1, object)
    row[0] = value
    return row


def interval(values: Float[np.ndarray, " n"], level: ScalarLike) -> tuple[float, float, float]:
    """Computes the mean of values and the ends of its Student confidence interval."""
    values = np.asarray(values, float)
    mean, n = float(values.mean()), len(values)
    half = scipy.stats.t.ppf((1 + float(level)) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)
    return mean, mean - float(half), mean + float(half)
