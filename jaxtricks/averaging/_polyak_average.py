"""The mean of the parameters of a training run."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree

from jaxtricks._checks import check_integer
from jaxtricks._moments import cast_like, full_moment, to_float32, weighted_mean
from jaxtricks._tree_checks import check_floating_tree, check_same_tree
from jaxtricks.averaging._averager import Averager


class PolyakAverageState(NamedTuple):
    """The state of `polyak_average`.

    Attributes:
        count: number of updates so far.
        average: mean of the parameters since averaging began; zeros before that.
    """

    count: Int[Array, ""]
    average: PyTree


def polyak_average(*, start: int | Int[Array, ""] = 0) -> Averager:
    r"""Computes the mean of the parameters of all updates after the first `start` updates.

    $\bar\theta_n = \bar\theta_{n-1} + (\theta_n - \bar\theta_{n-1}) / n$ is the mean of the
    parameters of the first $n$ updates after averaging began.

    Batch-norm statistics computed with other parameters do not fit the average. Re-estimate them
    with `recalibrate_batch_norm`; this averager does not do so.

    Args:
        start: number of updates before averaging begins, at least 0. Until then the output is the
            latest parameters. Early parameters are far from the optimum, and the weight of each
            in the mean is as large as that of a late one.

    Raises:
        ValueError: `start` is negative; in `update`, the structure or shapes of `params` differ
            from those in `init`.
        TypeError: `start` is not an integer; in `init` and `update`, a leaf is not real and
            floating.

    Example:
        >>> averager = polyak_average(start=1)
        >>> state = averager.init(jnp.zeros(()))
        >>> for value in (9.0, 1.0, 2.0, 6.0):
        ...     mean, state = averager.update(jnp.array(value), state)
        ...     print(float(mean))
        9.0
        1.0
        1.5
        3.0

    References:
        Polyak and Juditsky, [Acceleration of stochastic approximation by
        averaging](https://doi.org/10.1137/0330046), 1992.
    """
    check_integer("start", start, low=0)

    def init(params: PyTree) -> PolyakAverageState:
        check_floating_tree("params", params)
        return PolyakAverageState(jnp.zeros([], jnp.int32), full_moment(params))

    def update(params: PyTree, state: PolyakAverageState) -> tuple[PyTree, PolyakAverageState]:
        check_floating_tree("params", params)
        check_same_tree("params", params, "the first params", state.average)
        started = state.count >= start
        share = 1 / (jnp.asarray(jnp.maximum(state.count - start, 0), float) + 1)
        wide = to_float32(params)
        mean = weighted_mean(state.average, wide, share=share, decay=1 - share)

        def if_started(new: Array, old: Array) -> Array:
            return jnp.where(started, new, jnp.asarray(old, new.dtype))

        updated = jax.tree.map(if_started, mean, state.average)
        after = PolyakAverageState(optax.safe_increment(state.count), updated)
        return cast_like(jax.tree.map(if_started, updated, wide), params), after

    return Averager(init, update)
