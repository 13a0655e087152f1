"""Adding a function of the parameters to the updates."""

from collections.abc import Callable

import jax
import optax
from jaxtyping import Array, PyTree

from jaxtricks._moments import cast_like, to_float32
from jaxtricks._tree_checks import check_floating_tree, check_params_given, check_updates
from jaxtricks.optimizers._mask import Mask, mask_tree


def added_term(term: Callable[[Array], Array], mask: Mask) -> optax.GradientTransformationExtraArgs:
    """Returns the transformation `g + term(w)`, on the leaves that `mask` chooses."""

    def init(params: PyTree) -> optax.EmptyState:
        check_floating_tree("params", params)
        return optax.EmptyState()

    def update(
        updates: PyTree,
        state: optax.EmptyState,
        params: PyTree | None = None,
        **extra_args: object,
    ) -> tuple[PyTree, optax.EmptyState]:
        del extra_args
        check_params_given(params)
        check_updates(updates, params)

        def add(chosen: bool, g: Array, w: Array) -> Array:
            return g + term(w) if chosen else g

        steps = jax.tree.map(add, mask_tree(mask, params), to_float32(updates), to_float32(params))
        return cast_like(steps, updates), state

    return optax.GradientTransformationExtraArgs(init, update)
