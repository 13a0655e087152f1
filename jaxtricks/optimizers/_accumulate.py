"""One update from the gradients of many batches."""

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
    """The mean so far.

    Attributes:
        count: updates of the wrapped rule done so far.
        has_updated: whether the last call made one.
        gathered: gradients in the mean, 0 right after an update.
        weight: sum of their weights.
        mean: weighted mean of them, float32 or wider.
        inner: state of the wrapped rule.
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
    r"""Gives `tx` the weighted mean of `every` gradients, $\sum_k n_k g_k / \sum_k n_k$.

    Until then the updates are zero and the state of `tx` does not change. `update` takes `weight`,
    the number $n_k$ of examples of which $g_k$ is the mean (1 if not given), and passes all other
    extra arguments to `tx`. With these weights, batches of any sizes give the gradient of the mean
    over all their examples. If the batches counted alike, as in `optax.MultiSteps`, the examples of
    a smaller last batch would weigh more than the others. A gradient of weight 0 is ignored, even
    if it is NaN; if all `every` gradients have weight 0, there is no update.

    Of the other extra arguments only those of the last of the `every` calls have an effect: a
    metric for `scale_by_plateau` belongs there.

    `optax.tree.get(state, "has_updated")` says whether the last call made an update, which is when
    an average of the parameters or a log should follow.

    The wrapped update is computed at every call and then used or discarded: it is cheap next to a
    gradient, and the same program runs under `vmap`, in `scan` and on many devices. Batch
    statistics, such as batch norm's, are still those of each batch.

    Args:
        tx: the complete rule, with its learning rate, whose schedule then counts updates, not
            batches.
        every: gradients per update, at least 1, or a schedule of it: a function from the number of
            updates done to that of the gradients of the next, as for a batch that grows while the
            rate stays. It is rounded down, and 1 if it is less.
        weighting: "example" uses `weight`. "batch" ignores it and takes the plain mean of the
            gradients, as `optax.MultiSteps` does; right if they are not means over examples.

    Raises:
        ValueError: `every` is under 1, `weighting` is unknown, a weight is negative, or the updates
            do not match the parameters.
        TypeError: `tx` is not a gradient transformation, `every` is neither an integer nor a
            function, or a leaf is not floating.

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
        Ott et al., [Scaling neural machine translation](https://arxiv.org/abs/1806.00187), 2018;
        Smith et al., [Don't decay the learning rate, increase the batch
        size](https://arxiv.org/abs/1711.00489), 2018, for a schedule.
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
        # a mean, as a sum of huge gradients overflows
        mean = weighted_mean(state.mean, seen, share=part, decay=1 - part)
        steps, inner = rule.update(cast_like(mean, updates), state.inner, params, **extra_args)
        needed = every(state.count) if callable(every) else every
        check_range("what every gives", needed)
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
