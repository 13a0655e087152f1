"""Snapshots of the parameters: several models from one training run."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Int32, PyTree

from jaxtricks._checks import check_function, check_integer
from jaxtricks._tree_checks import check_same_tree
from jaxtricks.averaging._averager import Averager


class Snapshots(NamedTuple):
    """The stacked snapshots that `snapshots` returns; a new one takes the slot of the oldest.

    Attributes:
        params: a tree like the parameters; each leaf has a first axis of `capacity` slots. A slot
            that is still empty holds the parameters given to `init`.
        steps: the update after which each snapshot was taken, counted from 1; 0 in an empty slot.
        weights: 1 for each snapshot and 0 for each empty slot, as `ensemble_predictions` expects.
    """

    params: PyTree
    steps: Int32[Array, " slots"]
    weights: Float[Array, " slots"]


class SnapshotsState(NamedTuple):
    """The state of `snapshots`.

    Attributes:
        count: number of updates so far.
        taken: number of snapshots taken so far, including those replaced since.
        params: as in `Snapshots`.
        steps: as in `Snapshots`.
    """

    count: Int[Array, ""]
    taken: Int[Array, ""]
    params: PyTree
    steps: Int32[Array, " slots"]


def snapshots(capacity: int, *, at: Callable[[Int[Array, ""]], Bool[Array, ""]]) -> Averager:
    """Keeps the parameters of the latest `capacity` updates for which `at` is true.

    Compute the predictions of each snapshot, then average them:

        kept, state = averager.update(params, state)
        logits = jax.vmap(lambda params: model.apply({"params": params}, x))(kept.params)
        log_probabilities = ensemble_predictions(logits, weights=kept.weights)

    Each snapshot needs batch-norm statistics of its own. Put them in the tree with the parameters,
    or re-estimate them with `recalibrate_batch_norm`; this averager does not do so.

    Args:
        capacity: number of snapshots stored, at least 1. A new snapshot replaces the oldest. They
            take the memory of `capacity` models.
        at: a traceable function of `count`, the number of the update counted from 0; it tells
            whether to keep the parameters of that update. Use `cycle_ends(n)` for every `n`-th
            update and `cycle_ends(n, multiplier=m)` with `schedules.cosine_restarts`.

    Raises:
        ValueError: `capacity` is under 1; in `update`, the structure or shapes of `params` differ
            from those in `init`.
        TypeError: `capacity` is not an integer, or `at` is not a function.

    Example:
        >>> from jaxtricks.averaging import cycle_ends
        >>> averager = snapshots(3, at=cycle_ends(2))
        >>> state = averager.init(jnp.array(0.0))
        >>> for value in (1.0, 2.0, 3.0, 4.0, 5.0):
        ...     kept, state = averager.update(jnp.array(value), state)
        >>> kept.params.tolist(), kept.steps.tolist(), kept.weights.tolist()
        ([2.0, 4.0, 0.0], [2, 4, 0], [1.0, 1.0, 0.0])

    References:
        Huang et al., [Snapshot ensembles](https://arxiv.org/abs/1704.00109), 2017.
    """
    check_integer("capacity", capacity, low=1)
    check_function("at", at)

    def init(params: PyTree) -> SnapshotsState:
        zero = jnp.zeros([], jnp.int32)
        stack = jax.tree.map(lambda leaf: jnp.stack([jnp.asarray(leaf)] * capacity), params)
        return SnapshotsState(zero, jnp.zeros_like(zero), stack, jnp.zeros(capacity, jnp.int32))

    def update(params: PyTree, state: SnapshotsState) -> tuple[Snapshots, SnapshotsState]:
        first = jax.tree.map(lambda slots: slots[0], state.params)
        check_same_tree("params", params, "the first params", first)
        count, take = optax.safe_increment(state.count), at(state.count)
        slot = state.taken % capacity

        def put(stack: Array, leaf: Array) -> Array:
            return stack.at[slot].set(jnp.where(take, jnp.asarray(leaf, stack.dtype), stack[slot]))

        stack = jax.tree.map(put, state.params, params)
        steps = put(state.steps, count)
        taken = jnp.where(take, optax.safe_increment(state.taken), state.taken)
        taken_so_far = Snapshots(stack, steps, (jnp.arange(capacity) < taken).astype(jnp.float32))
        return taken_so_far, SnapshotsState(count, taken, stack, steps)

    return Averager(init, update)
