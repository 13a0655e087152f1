"""Accumulating the gradients of several batches into one update."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxtricks._checks import (
    check_choice,
    check_functions,
    check_integer,
    check_range,
)
from jaxtricks._moments import cast_like, full_moment, to_float32, weighted_mean
from jaxtricks._tree_checks import check_floating_tree, check_updates
from jaxtricks._types import ScalarLike


class AccumulateState(NamedTuple):
    """State of `accumulate`: the mean gradient so far and the state of the wrapped optimizer.

    Attributes:
        count: number of updates made so far.
        has_updated: whether the last call made an update.
        gathered: number of gradients received for the next update; 0 right after an update.
        weight: sum of the weights of these gradients.
        mean: their weighted mean, in float32 or wider.
        inner: state of the wrapped optimizer.
    """

    count: Int[Array, ""]
    has_updated: Bool[Array, ""]
    gathered: Int[Array, ""]
    weight: Float[Array, ""]
    mean: PyTree
    inner: PyTree


def accumulate(
    tx: optax.GradientTransformation,
    every: int | Callable[[Int[Array, ""]], ScalarLike],
    *,
    weighting: Literal["example", "batch"] = "example",
) -> optax.GradientTransformationExtraArgs:
    r"""Collects as many gradients as `every` says, and makes one update of `tx` from their mean.

    With `every=4`, for example, each fourth call makes an update; the other calls return updates
    of 0 and do not change the state of `tx`. The mean of the gradients $g_k$ is
    $\sum_k n_k g_k / \sum_k n_k$, where $n_k$ is the argument `weight` of `update`: the number of
    examples over which $g_k$ is a mean (1 by default). All other extra arguments are passed to
    `tx`. With these weights, batches of any sizes give the gradient of the mean loss over all their
    examples. With equal weights, as in `optax.MultiSteps`, each example of a smaller last batch
    would count more than the others. A gradient of weight 0 is ignored, even if it is NaN; if all
    the gradients of an update have weight 0, the update is left out.

    The other extra arguments have an effect only in the call that makes the update: pass a metric
    for `scale_by_plateau` in that call.

    `optax.tree.get(state, "has_updated")` says whether the last call made an update. Average the
    parameters or write a log only then.

    The update of `tx` is computed at every call and then used or discarded. This costs little
    compared with a gradient, and so the same program runs under `vmap`, in `scan` and on many
    devices. Batch norm still computes its statistics from each batch alone.

    Args:
        tx: the complete optimizer, with its learning rate. A schedule in it counts updates, not
            batches.
        every: number of gradients per update, at least 1. It may be a function from the number of
            updates made so far to the number of gradients for the next update, with which the batch
            size can grow while the learning rate stays constant. The value of this function is
            rounded down, and values below 1 count as 1.
        weighting: "example" uses `weight`. "batch" ignores it and takes the plain mean of the
            gradients, as `optax.MultiSteps` does, which is right if the gradients are not means
            over examples.

    Raises:
        ValueError: `every` is less than 1, `weighting` is unknown, a weight is negative or not
            finite, or the updates do not match the parameters.
        TypeError: `tx` is not a gradient transformation, `every` is neither an integer nor a
            function, or a leaf is not floating-point.

    Example:
        >>> from jaxtricks.optimizers import gradient_descent
        >>> tx = accumulate(gradient_descent(1.0), 2)
        >>> state = tx.init(jnp.zeros(()))
        >>> for gradient, examples in ((1.0, 30), (5.0, 10)):
        ...     updates, state = tx.update(jnp.array(gradient), state, weight=examples)
        ...     print(updates)
        0.0
        -2.0

    References:
        Ott et al., [Scaling neural machine translation](https://arxiv.org/abs/1806.00187), 2018.
        For a growing batch size: Smith et al., [Don't decay the learning rate, increase the batch
        size](https://arxiv.org/abs/1711.00489), 2018.
    """
    check_functions("tx", tx, optax.GradientTransformation)
    if not callable(every):
        check_integer("every", every, low=1)
    check_choice("weighting", weighting, ("example", "batch"))
    rule = optax.with_extra_args_support(tx)

    def init(params: PyTree) -> AccumulateState:
        check_floating_tree("params", params)
        return AccumulateState(
            count=jnp.zeros([], jnp.int32),
            has_updated=jnp.zeros([], bool),
            gathered=jnp.zeros([], jnp.int32),
            weight=jnp.zeros([], jnp.float32),
            mean=full_moment(params),
            inner=rule.init(params),
        )

    def update(
        updates: PyTree,
        state: AccumulateState,
        params: PyTree | None = None,
        *,
        weight: ScalarLike | None = None,
        **extra_args: object,
    ) -> tuple[PyTree, AccumulateState]:
        check_updates(updates, state.mean)
        if weight is None or weighting == "batch":
            weight = 1
        check_range("weight", weight, low=0.0)
        share = jnp.asarray(weight, jnp.float32)
        mass = state.weight + share
        part = share / jnp.where(mass > 0, mass, 1)
        seen = jax.tree.map(
            lambda m, g: jnp.where(share > 0, g, m), state.mean, to_float32(updates)
        )
        # a running mean, because a sum of huge gradients would overflow
        mean = weighted_mean(state.mean, seen, share=part, decay=1 - part)
        steps, inner = rule.update(cast_like(mean, updates), state.inner, params, **extra_args)
        needed = every(state.count) if callable(every) else every
        check_range("the value of every", needed)
        full = state.gathered >= jnp.asarray(needed, jnp.int32) - 1
        due = full & (mass > 0)

        def if_updating(new: PyTree, old: PyTree) -> PyTree:
            return jnp.where(due, new, old)

        return jax.tree.map(lambda u: if_updating(u, 0), steps), AccumulateState(
            count=if_updating(optax.safe_increment(state.count), state.count),
            has_updated=due,
            gathered=jnp.where(full, 0, optax.safe_increment(state.gathered)),
            weight=jnp.where(full, 0, mass),
            mean=jax.tree.map(lambda m: jnp.where(full, 0, m), mean),
            inner=jax.tree.map(if_updating, inner, state.inner),
        )

    return optax.GradientTransformationExtraArgs(init, update)
