"""The parameters' exponential moving average."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree

from jaxtricks._checks import check_flag, check_length, check_range
from jaxtricks._moments import average, full_moment, to_float32, weight_sum
from jaxtricks._tree_checks import check_same_tree
from jaxtricks._types import ScalarLike
from jaxtricks.averaging._averager import Averager, check_floating_tree


class ExponentialAverageState(NamedTuple):
    """The running average.

    Attributes:
        count: updates so far.
        average: before debiasing; zeros until the first parameters are averaged.
    """

    count: Int[Array, ""]
    average: PyTree


def exponential_average(
    decay: ScalarLike,
    *,
    debias: bool = True,
    warm_start: bool = False,
    start: int | Int[Array, ""] = 0,
) -> Averager:
    r"""Averages the parameters, each update's weight `decay` times that of the next.

    $m_t = \beta m_{t-1} + (1 - \beta) \theta_t$ with $m_0 = 0$; the average is
    $m_t / (1 - \beta^t)$, so that the weights add up to 1. It looks back about $1 / (1 - \beta)$
    updates.

    Batch-norm statistics taken with other parameters do not fit the average: re-estimate them with
    `recalibrate_batch_norm`, which this averager does not do.

    Args:
        decay: $\beta$, in `[0, 1)`; 0 gives the latest parameters.
        debias: whether to divide by the sum of the weights, $1 - \beta^t$; without, an early
            average is too small. It makes no difference to a warm start.
        warm_start: whether the first parameters averaged count in full, $m_1 = \theta_1$ (as in
            PyTorch's `AveragedModel`), instead of zeros: the weights add up to 1 by themselves,
            but the oldest parameters keep $\beta^{t-1}$ of them.
        start: the number of updates before averaging begins, at least 0; until then the average is
            the latest parameters.

    Raises:
        ValueError: `decay` or `start` is out of range; in `update`, `params` has another structure
            than in `init`.
        TypeError: `start` is not an integer, or a flag is not a bool; in `init` and `update`, a
            leaf is not real and floating.

    Example:
        >>> for options in ({}, {"debias": False}, {"warm_start": True}):
        ...     averager = exponential_average(0.5, **options)
        ...     state = averager.init(jnp.zeros(()))
        ...     for value in (8.0, 8.0, 2.0):
        ...         mean, state = averager.update(jnp.array(value), state)
        ...     print(round(float(mean), 3))
        4.571
        4.0
        5.0

    References:
        Polyak and Juditsky, [Acceleration of stochastic approximation by
        averaging](https://doi.org/10.1137/0330046), 1992, with equal weights. Debiasing: Kingma and
        Ba, [Adam](https://arxiv.org/abs/1412.6980), 2015, section 3.
    """
    check_range("decay", decay, low=0.0, below=1.0)
    check_flag("debias", debias)
    check_flag("warm_start", warm_start)
    check_length("start", start, low=0)

    def init(params: PyTree) -> ExponentialAverageState:
        check_floating_tree("params", params)
        return ExponentialAverageState(jnp.zeros([], jnp.int32), full_moment(params))

    def update(
        params: PyTree, state: ExponentialAverageState
    ) -> tuple[PyTree, ExponentialAverageState]:
        check_floating_tree("params", params)
        check_same_tree("params", params, "the first params", state.average)
        started = state.count >= start
        past = jnp.maximum(state.count - start, 0)
        total = weight_sum(decay, past) if debias and not warm_start else 1.0
        mixed = average(state.average, to_float32(params), decay)

        def keep(new: Array, old: Array, leaf: Array) -> Array:
            first = jnp.where(past == 0, leaf, new) if warm_start else new
            return jnp.where(started, first, old).astype(old.dtype)

        def show(average: Array, leaf: Array) -> Array:
            return jnp.where(started, average / total, leaf).astype(jnp.result_type(leaf))

        updated = jax.tree.map(keep, mixed, state.average, params)
        after = ExponentialAverageState(optax.safe_increment(state.count), updated)
        return jax.tree.map(show, updated, params), after

    return Averager(init, update)
