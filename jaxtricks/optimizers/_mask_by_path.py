"""Showing which parameters a mask chooses."""

import jax
from jaxtyping import PyTree

from jaxtricks._prefix import Mask, expand_mask


def mask_by_path(mask: Mask, params: PyTree) -> dict[str, bool]:
    """Tells for each parameter, by its path, whether `mask` chooses it.

    Print the result before a long run: it shows which parameters decay or are frozen.

    Args:
        mask: a tree of bools (or a prefix of the parameters' tree), or a function of the parameters
            that returns one, such as `weights_only`. None means all.
        params: the parameters.

    Raises:
        TypeError: a leaf of the mask is not a bool.
        ValueError: the mask does not fit the parameters.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxtricks.optimizers import weights_only
        >>> layer = {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}
        >>> mask_by_path(weights_only, {"Dense_0": layer})
        {"['Dense_0']['bias']": False, "['Dense_0']['kernel']": True}
    """
    chosen = jax.tree_util.tree_leaves_with_path(expand_mask("mask", mask, params))
    return {jax.tree_util.keystr(path): bool(value) for path, value in chosen}
