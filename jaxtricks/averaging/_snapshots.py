"""Several models for the training time of one: the parameters at the ends of cycles."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Int32, PyTree

from jaxtricks._checks import check_function, check_length
from jaxtricks.averaging._averager import Averager


class Snapshots(NamedTuple):
    """The kept parameter trees, stacked. The order of the slots is not the order of their age.

    Attributes:
        params: a tree like the parameters, each leaf with a first axis of `capacity` slots. A slot
            that is still empty holds the parameters given to `init`.
        steps: the updates at whose end they were taken, counted from 1; 0 for an empty slot.
        weights: 1 for each snapshot, 0 for each empty slot; for `ensemble_predictions`.
    """

    params: PyTree
    steps: Int32[Array, " slots"]
    weights: Float[Array, " slots"]


class SnapshotsState(NamedTuple):
    """`count`: updates so far. `taken`: snapshots so far. `params`, `steps`: those kept."""

    count: Int[Array, ""]
    taken: Int[Array, ""]
    params: PyTree
    steps: Int32[Array, " slots"]


def snapshots(capacity: int, *, at: Callable[[Int[Array, ""]], Bool[Array, ""]]) -> Averager:
    """Keeps the parameters of the last `capacity` updates that `at` chooses.

    Let each snapshot predict, and average the predictions:

        kept, state = averager.update(params, state)
        logits = jax.vmap(lambda params: model.apply({"params": params}, x))(kept.params)
        log_probabilities = ensemble_predictions(logits, weights=kept.weights)

    Each member needs batch-norm statistics of its own: put them in the tree with the parameters, or
    re-estimate them with `recalibrate_batch_norm`, which this averager does not do.

    Args:
        capacity: trees kept, at least 1; a new one replaces the oldest. The memory is that of
            `capacity` models.
        at: whether to keep the parameters after update `count`, counted from 0, a traceable
            function: `cycle_ends(n)` for every `n` updates, `cycle_ends(n, multiplier=m)` with
            `schedules.cosine_restarts`.

    Raises:
        ValueError: `capacity` is under 1; in `update`, `params` has another structure or other
            shapes than in `init`.
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
    check_length("capacity", capacity, low=1)
    check_function("at", at)

    def init(params: PyTree) -> SnapshotsState:
        zero = jnp.zeros([], jnp.int32)
        stack = jax.tree.map(lambda leaf: jnp.stack([jnp.asarray(leaf)] * capacity), params)
        return SnapshotsState(zero, jnp.zeros_like(zero), stack, jnp.zeros(capacity, jnp.int32))

    def update(params: PyTree, state: SnapshotsState) -> tuple[Snapshots, SnapshotsState]:
        _check_like_slots(params, state.params)
        count, take = optax.safe_increment(state.count), at(state.count)
        slot = state.taken % capacity

        def put(stack: Array, leaf: Array) -> Array:  # one slot is written, the others stay
            return stack.at[slot].set(jnp.where(take, jnp.asarray(leaf, stack.dtype), stack[slot]))

        stack = jax.tree.map(put, state.params, params)
        steps = put(state.steps, count)
        taken = jnp.where(take, optax.safe_increment(state.taken), state.taken)
        taken_so_far = Snapshots(stack, steps, (jnp.arange(capacity) < taken).astype(jnp.float32))
        return taken_so_far, SnapshotsState(count, taken, stack, steps)

    return Averager(init, update)


def _check_like_slots(params: PyTree, stack: PyTree) -> None:
    if jax.tree.structure(params) != jax.tree.structure(stack):
        raise ValueError(
            f"params must have the structure of the first params, {jax.tree.structure(stack)}, "
            f"got {jax.tree.structure(params)}."
        )
    leaves = jax.tree_util.tree_leaves_with_path(params)
    for (path, leaf), slots in zip(leaves, jax.tree.leaves(stack), strict=True):
        if jnp.shape(leaf) != slots.shape[1:]:
            raise ValueError(
                f"params{jax.tree_util.keystr(path)} must have the shape of the first params, "
                f"{slots.shape[1:]}, got {jnp.shape(leaf)}."
            )
