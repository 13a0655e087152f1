"""Penalties: sums over the entries of the weights that a mask chooses."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxtricks._checks import check_range
from jaxtricks._moments import scalar_like, to_float32
from jaxtricks._prefix import Mask, expand_mask
from jaxtricks._tree_checks import check_floating_tree
from jaxtricks._types import ScalarLike


def penalty(
    params: PyTree, strength: ScalarLike, term: Callable[[Array], Array], mask: Mask
) -> Float[Array, ""]:
    """Returns `strength` times the sum of `term(w)` over the chosen leaves, in float32 or wider.

    Raises:
        ValueError: `strength` is negative or not finite, or `mask` chooses no leaf.
        TypeError: a leaf of `params` is not a floating array, or a leaf of `mask` is not a bool.
    """
    check_range("strength", strength, low=0.0)
    check_floating_tree("params", params)
    chosen = jax.tree.leaves(expand_mask("mask", mask, params))
    leaves = [
        w for w, here in zip(jax.tree.leaves(to_float32(params)), chosen, strict=True) if here
    ]
    if not leaves:
        raise ValueError(f"mask must choose a leaf of params, got 0 of {len(chosen)} leaves.")
    widest = max((w.dtype for w in leaves), key=lambda dtype: dtype.itemsize)
    sums = [jnp.sum(term(w)).astype(widest) for w in leaves]
    return scalar_like(strength, sums[0]) * jnp.sum(jnp.stack(sums))
