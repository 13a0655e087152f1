"""Decoupled weight decay as in the base class of Keras's optimizers."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree

from jaxtricks._checks import check_range
from jaxtricks._moments import cast_like, scalar, scalar_like, to_float32
from jaxtricks._tree_checks import check_params_given, check_updates
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import ScalarOrSchedule, value_at


class ShrinkState(NamedTuple):
    """The state of `shrink`.

    Attributes:
        count: number of updates done so far.
    """

    count: Int[Array, ""]


def shrink(
    learning_rate: ScalarOrSchedule, weight_decay: ScalarLike | None
) -> tuple[optax.GradientTransformationExtraArgs, ...]:
    r"""Returns a transformation that adds $-\alpha_t \lambda x$ to the updates; none for None.

    `optimizers.add_decoupled_decay` must come after the update rule and before the learning rate.
    It cannot be used here, because Keras's velocity includes the learning rate.

    Raises:
        ValueError: an argument is negative or not finite.
    """
    if not callable(learning_rate):
        check_range("learning_rate", learning_rate, low=0.0)
    if weight_decay is None:
        return ()
    check_range("weight_decay", weight_decay, low=0.0)

    def init(params: PyTree) -> ShrinkState:
        del params
        return ShrinkState(count=jnp.zeros([], jnp.int32))

    def update(
        updates: PyTree, state: ShrinkState, params: PyTree | None = None, **extra_args: object
    ) -> tuple[PyTree, ShrinkState]:
        del extra_args
        check_params_given(params)
        check_updates(updates, params)
        share = scalar(value_at(learning_rate, state.count)) * scalar(weight_decay)
        steps = jax.tree.map(
            lambda u, x: u - scalar_like(share, x) * x, to_float32(updates), to_float32(params)
        )
        return cast_like(steps, updates), ShrinkState(optax.safe_increment(state.count))

    return (optax.GradientTransformationExtraArgs(init, update),)
