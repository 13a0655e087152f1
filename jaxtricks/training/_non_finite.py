"""NaN and infinity: how many there are, and the error that ends a run at the first."""

import sys

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, PyTree

from jaxtricks.training._state import TrainState

SMALL = 1024  # entries of an array of the rule that is compared with what it was before the step


class NonFiniteError(FloatingPointError):
    """A step gave a NaN or an infinity.

    Attributes:
        step: the number of that step: so many updates were finished before it.
        learning_rate: at that step; None if the step does not report it.
        path: where in the state after the step the first such entry is that was finite before,
            parameters first, such as `.params['Dense_0']['kernel']`; None if only the loss, the
            penalty or the gradient has one; or, after the step, the validation metric that is one.
        state: the one before the step, or the one that was validated.
    """

    def __init__(
        self, step: int, learning_rate: float | None, path: str | None, state: TrainState
    ) -> None:
        rate = "not reported" if learning_rate is None else f"{learning_rate:g}"
        place = f"step {step} gave a NaN or an infinity, first in {path or 'the loss or gradient'}"
        state_is = "the one before the step"
        if path and path.startswith("validation."):
            place = f"{path} is NaN or infinite after {step} updates, which were finite"
            state_is = "the one that was validated"
        super().__init__(
            f"{place}; learning rate {rate}. The error's `state` is {state_is}. The rate may be "
            "too high; or the examples wrong: a label that is not below the number of logits has "
            "the loss NaN, and `classes=` of `fit` finds it."
        )
        self.step = step
        self.learning_rate = learning_rate
        self.path = path
        self.state = state


def watched(state: TrainState) -> dict[str, PyTree]:
    """What of a state is searched for NaN and infinities, parameters first."""
    names = ("params", "model_state", "opt_state", "average")
    return {f".{name}": getattr(state, name) for name in names}


def first_non_finite(before: TrainState, after: TrainState) -> str | None:
    """The path of the first leaf with an entry that a step made NaN or infinite."""
    pairs = zip(watched(before).values(), watched(after).items(), strict=True)
    for old, (name, new) in pairs:
        leaves = zip(jax.tree.leaves(old), jax.tree_util.tree_leaves_with_path(new), strict=True)
        for was, (path, now) in leaves:
            if is_inexact(now) and bool(jnp.any(jnp.isfinite(was) & ~jnp.isfinite(now))):
                return name + jax.tree_util.keystr(path)
    return None


def norm(tree: PyTree) -> Float[Array, ""]:
    """The root of the sum of all squares, also where the squares overflow or underflow."""
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
    """Of all entries, as inner products: several times as fast on a CPU as reductions."""
    squares = [jnp.vdot(x, x) for x in wide_leaves(tree)]
    return sum(squares[1:], squares[0]) if squares else jnp.zeros((), jnp.float32)


def wide_leaves(tree: PyTree) -> list[Array]:
    """The leaves in one dtype, float32 or wider."""
    leaves = jax.tree.leaves(tree)
    with jax.numpy_dtype_promotion("standard"):
        dtype = jnp.result_type(jnp.float32, *leaves)
    return [x.astype(dtype) for x in leaves]


def count_non_finite(tree: PyTree) -> Int32[Array, ""]:
    """How many entries are NaN or infinite; whole numbers and keys are always finite."""
    return count_where_needed([], [jnp.asarray(x) for x in jax.tree.leaves(tree) if is_inexact(x)])


def count_newly_non_finite(
    before: PyTree, after: PyTree, *, largest: int = sys.maxsize
) -> Int32[Array, ""]:
    """How many entries were finite before and are NaN or infinite after.

    States may begin with an infinity, such as a model's mask of logits or the best value of a rule
    that has seen none. Of arrays of over `largest` entries all must be finite: looking at the old
    ones would keep XLA from updating them in place.
    """
    leaves = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    pairs = [(jnp.asarray(old), jnp.asarray(new)) for old, new in leaves if is_inexact(new)]
    numbers = [jnp.isfinite(old) & ~jnp.isfinite(new) for old, new in pairs if new.size == 1]
    small = [pair for pair in pairs if 1 < pair[1].size <= largest]
    large = [new for _, new in pairs if new.size > largest]
    return count_true(numbers) + count_where_needed(small, large)


def count_where_needed(pairs: list[tuple[Array, Array]], alone: list[Array]) -> Int32[Array, ""]:
    """Counts in pairs of old and new arrays and in arrays alone.

    A NaN or an infinity makes the sum of squares one too, which is all that most steps compute; a
    sum that is one, as it also is where squares overflow, has the entries counted.
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
    """How many entries are True."""
    return sum((jnp.sum(a, dtype=jnp.int32) for a in arrays), jnp.zeros((), jnp.int32))


def is_inexact(leaf: PyTree) -> bool:
    """Whether a leaf holds floating numbers."""
    return jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)
