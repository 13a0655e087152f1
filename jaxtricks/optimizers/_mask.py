"""Which leaves of a tree a rule acts on."""

from collections.abc import Callable

from jaxtyping import PyTree
from typing_extensions import TypeAliasType

from jaxtricks._prefix import expand_mask

Mask = TypeAliasType("Mask", PyTree | Callable[[PyTree], PyTree] | None)


def mask_tree(mask: Mask, tree: PyTree) -> PyTree:
    """Returns one Python bool for each leaf of `tree`; see `expand_mask`."""
    return expand_mask("mask", mask, tree)
