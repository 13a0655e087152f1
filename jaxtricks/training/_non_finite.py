"""Counting NaN and infinite entries, and the error that ends a run at the first of them."""

import sys

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, PyTree

from jaxtricks.training._state import TrainState

SMALL = 1024  # the most entries of an optimizer's array that is compared with its old value


class NonFiniteError(FloatingPointError):
    """Raised by `fit` when a step gives NaN or an infinity, or the monitored metric is one.

    Attributes:
        step: how many updates were finished before the step, or before the validation.
        learning_rate: the learning rate of that step, or of the last step before the validation;
            None if the metrics of a step do not include it (see `trainer`).
        path: the path of the first array in the state with an entry that the step made NaN or
            infinite, parameters first, such as `.params['Dense_0']['kernel']`; None if only the
            loss, the penalty or the gradient is not finite. For a validation metric it is
            `"validation."` and the name of the metric.
        state: the state before the step, or the state that was validated.
    """

    def __init__(
        self, step: int, learning_rate: float | None, path: str | None, state: TrainState
    ) -> None:
        rate = "not reported" if learning_rate is None else f"{learning_rate:g}"
        place = f"step {step} gave NaN or an infinity, first in {path or 'the loss or gradient'}"
        state_is = "the state before the step"
        if path and path.startswith("validation."):
            place = f"{path} is NaN or infinite after {step} updates, all of them finite"
            state_is = "the state that was validated"
        super().__init__(
            f"{place}; learning rate {rate}. The error's `state` is {state_is}. The learning rate "
            "may be too high, or an example may be wrong: a label that is negative or not below "
            "the number of logits makes the loss NaN; `fit(..., classes=...)` finds such labels."
        )
        self.step = step
        self.learning_rate = learning_rate
        self.path = path
        self.state = state


def watched(state: TrainState) -> dict[str, PyTree]:
    """Returns the parts of a state that are searched for NaN and infinities, parameters first."""
    names = ("params", "model_state", "opt_state", "average")
    return {f".{name}": getattr(state, name) for name in names}


def first_non_finite(before: TrainState, after: TrainState) -> str | None:
    """Returns the path of the first leaf with an entry that a step made NaN or infinite.

    None if there is no such leaf.
    """
    pairs = zip(watched(before).values(), watched(after).items(), strict=True)
    for old, (name, new) in pairs:
        leaves = zip(jax.tree.leaves(old), jax.tree_util.tree_leaves_with_path(new), strict=True)
        for was, (path, now) in leaves:
            if is_inexact(now) and bool(jnp.any(jnp.isfinite(was) & ~jnp.isfinite(now))):
                return name + jax.tree_util.keystr(path)
    return None


def norm(tree: PyTree) -> Float[Array, ""]:
    """Computes the Euclidean norm of a tree, even where squares overflow or underflow."""
    total = sum_of_squares(tree)

    def scaled(tree: PyTree) -> Float[Array, ""]:
        leaves = [x for x in wide_leaves(tree) if x.size]
        largest = jnp.max(jnp.stack([jnp.max(jnp.abs(x)) for x in leaves])) if leaves else total
        unit = jnp.where(jnp.isfinite(largest) & (largest > 0), largest, 1)
        ratios = [x / unit for x in leaves]
        return jnp.where(jnp.isfinite(largest), unit * jnp.sqrt(sum_of_squares(ratios)), largest)

    def plain(tree: PyTree) -> Float[Array, ""]:
        del tree
        return jnp.sqrt(total)

    return jax.lax.cond((total > 1e-20) & jnp.isfinite(total), plain, scaled, tree)


def sum_of_squares(tree: PyTree) -> Float[Array, ""]:
    """Sums the squares of all entries.

    On a CPU the inner products used here are several times as fast as `jnp.sum`.
    """
    squares = [jnp.vdot(x, x) for x in wide_leaves(tree)]
    return sum(squares[1:], squares[0]) if squares else jnp.zeros((), jnp.float32)


def wide_leaves(tree: PyTree) -> list[Array]:
    """Returns the leaves in one dtype, float32 or wider."""
    leaves = jax.tree.leaves(tree)
    with jax.numpy_dtype_promotion("standard"):
        dtype = jnp.result_type(jnp.float32, *leaves)
    return [x.astype(dtype) for x in leaves]


def count_non_finite(tree: PyTree) -> Int32[Array, ""]:
    """Counts the NaN and infinite entries of a tree; integers, bools and keys count as finite."""
    return count_where_needed([], [jnp.asarray(x) for x in jax.tree.leaves(tree) if is_inexact(x)])


def count_newly_non_finite(
    before: PyTree, after: PyTree, *, largest: int = sys.maxsize
) -> Int32[Array, ""]:
    """Counts the entries that were finite before and are NaN or infinite after.

    A state may start with an infinity, such as a model's mask of logits or an optimizer's best loss
    so far. In arrays with more than `largest` entries every NaN and infinity counts, because
    reading the old array would keep XLA from updating it in place.
    """
    leaves = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    pairs = [(jnp.asarray(old), jnp.asarray(new)) for old, new in leaves if is_inexact(new)]
    numbers = [jnp.isfinite(old) & ~jnp.isfinite(new) for old, new in pairs if new.size == 1]
    small = [pair for pair in pairs if 1 < pair[1].size <= largest]
    large = [new for _, new in pairs if new.size > largest]
    return count_true(numbers) + count_where_needed(small, large)


def count_where_needed(pairs: list[tuple[Array, Array]], alone: list[Array]) -> Int32[Array, ""]:
    """Counts the NaN and infinite entries of the arrays `alone`, and the new ones in `pairs`.

    A pair holds an old and a new array; an entry is new if it was finite in the old one. Most steps
    only compute the sum of all squares: a NaN or an infinity makes it NaN or infinite. The entries
    are counted if that sum is not finite, which also happens when squares overflow.
    """

    def count(pairs: list[tuple[Array, Array]], alone: list[Array]) -> Int32[Array, ""]:
        spoiled = [jnp.isfinite(old) & ~jnp.isfinite(new) for old, new in pairs]
        return count_true(spoiled + [~jnp.isfinite(leaf) for leaf in alone])

    def none(pairs: list[tuple[Array, Array]], alone: list[Array]) -> Int32[Array, ""]:
        del pairs, alone
        return jnp.zeros((), jnp.int32)

    finite = jnp.isfinite(sum_of_squares([alone, [new for _, new in pairs]]))
    return jax.lax.cond(finite, none, count, pairs, alone)


def count_true(arrays: list[Bool[Array, "..."]]) -> Int32[Array, ""]:
    """Counts the True entries of boolean arrays."""
    return sum((jnp.sum(a, dtype=jnp.int32) for a in arrays), jnp.zeros((), jnp.int32))


def is_inexact(leaf: PyTree) -> bool:
    """Says whether a leaf holds floating or complex numbers."""
    return jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)
