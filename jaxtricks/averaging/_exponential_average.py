"""The exponential moving average of the parameters."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree

from jaxtricks._checks import check_flag, check_integer, check_range
from jaxtricks._moments import average, cast_like, full_moment, scalar_like, to_float32, weight_sum
from jaxtricks._tree_checks import check_floating_tree, check_same_tree
from jaxtricks._types import ScalarLike
from jaxtricks.averaging._averager import Averager


class ExponentialAverageState(NamedTuple):
    """The state of `exponential_average`.

    Attributes:
        count: number of updates so far.
        average: the average before debiasing; zeros until the first parameters are averaged.
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
    r"""Computes an exponential moving average of the parameters.

    $m_t = \beta m_{t-1} + (1 - \beta) \theta_t$ with $m_0 = 0$. The average is
    $m_t / (1 - \beta^t)$, so that the weights of the parameters add up to 1. The last
    $1 / (1 - \beta)$ updates or so have most of the weight.

    Batch-norm statistics computed with other parameters do not fit the average. Re-estimate them
    with `recalibrate_batch_norm`; this averager does not do so.

    Args:
        decay: $\beta$, in `[0, 1)`; 0 gives the latest parameters. With `warm_start` the value 1 is
            allowed, and gives the first parameters.
        debias: whether to divide by the sum of the weights, $1 - \beta^t$. Without the division an
            early average is too small. With `warm_start` the flag has no effect.
        warm_start: whether the average starts from the first parameters, $m_1 = \theta_1$ (as in
            PyTorch's `AveragedModel`), instead of zeros. The weights then add up to 1 without
            debiasing, and the first parameters have the weight $\beta^{t-1}$.
        start: number of updates before averaging begins, at least 0. Until then the output is the
            latest parameters; $t$ counts the updates after that.

    Raises:
        ValueError: `decay` or `start` is out of range; in `update`, the structure or shapes of
            `params` differ from those in `init`.
        TypeError: `decay` is not a real scalar, `start` is not an integer, or a flag is not a bool;
            in `init` and `update`, a leaf is not real and floating.

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
    check_flag("debias", debias)
    check_flag("warm_start", warm_start)
    limit = {"high": 1.0} if warm_start else {"below": 1.0}
    check_range("decay", decay, low=0.0, **limit)
    check_integer("start", start, low=0)

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
        wide = to_float32(params)
        mixed = average(state.average, wide, decay)

        def keep(new: Array, old: Array, leaf: Array) -> Array:
            first = jnp.where(past == 0, jnp.asarray(leaf, old.dtype), new) if warm_start else new
            return jnp.where(started, first, old)

        def show(average: Array, leaf: Array) -> Array:
            debiased = average / scalar_like(total, average)
            return jnp.where(started, debiased, jnp.asarray(leaf, average.dtype))

        updated = jax.tree.map(keep, mixed, state.average, wide)
        after = ExponentialAverageState(optax.safe_increment(state.count), updated)
        return cast_like(jax.tree.map(show, updated, wide), params), after

    return Averager(init, update)
