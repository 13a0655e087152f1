"""Adding a multiple of a function of the parameters to the updates."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree

from jaxtricks._checks import check_range
from jaxtricks._moments import cast_like, scalar_like, to_float32
from jaxtricks._prefix import Mask, expand_mask
from jaxtricks._tree_checks import check_floating_tree, check_params_given, check_updates
from jaxtricks.schedules import ScalarOrSchedule, value_at


class AddedTermState(NamedTuple):
    """State of the penalties and of weight decay: `count`, the number of updates made so far."""

    count: Int[Array, ""]


def added_term(
    strength: ScalarOrSchedule, direction: Callable[[Array], Array], mask: Mask
) -> optax.GradientTransformationExtraArgs:
    """Adds `strength * direction(w)` to the updates of the parameters that `mask` chooses.

    Raises:
        ValueError: `strength` is negative or not finite.
    """
    if not callable(strength):
        check_range("strength", strength, low=0.0)

    def init(params: PyTree) -> AddedTermState:
        check_floating_tree("params", params)
        return AddedTermState(count=jnp.zeros([], jnp.int32))

    def update(
        updates: PyTree,
        state: AddedTermState,
        params: PyTree | None = None,
        **extra_args: object,
    ) -> tuple[PyTree, AddedTermState]:
        del extra_args
        check_params_given(params)
        check_updates(updates, params)
        now = value_at(strength, state.count)

        chosen = expand_mask("mask", mask, params)

        def add(here: bool, g: Array, w: Array) -> Array:
            return g + scalar_like(now, w) * direction(w) if here else g

        steps = jax.tree.map(add, chosen, to_float32(updates), to_float32(params))
        return cast_like(steps, updates), AddedTermState(optax.safe_increment(state.count))

    return optax.GradientTransformationExtraArgs(init, update)
