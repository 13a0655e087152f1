"""Parameters that stay as they are."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, PyTree

from jaxtricks._tree_checks import check_real_tree
from jaxtricks.optimizers._mask import Mask, mask_tree


def freeze(mask: Mask) -> optax.GradientTransformationExtraArgs:
    r"""Zeroes the updates where the mask is True: $u_i \leftarrow 0$.

    Last in the chain: a decay or a velocity after it would still move the parameters. The rules
    before it keep their moments of the frozen parameters, which can therefore be trained again
    later; use `optax.partition` to save that memory.

    Args:
        mask: which leaves to freeze, as a tree of bools (or a prefix: one bool for a whole layer)
            or a function of the updates, which have the parameters' names; None is all.

    Raises:
        ValueError: the mask does not fit the updates.
        TypeError: a leaf of the mask is not a bool, or a leaf of the updates is complex.

    Example:
        >>> tx = freeze({"body": True, "head": False})
        >>> grads = {"body": {"kernel": jnp.ones(2)}, "head": {"kernel": jnp.ones(2)}}
        >>> updates, _ = tx.update(grads, tx.init(grads))
        >>> updates["body"]["kernel"].tolist(), updates["head"]["kernel"].tolist()
        ([0.0, 0.0], [1.0, 1.0])

    References:
        Yosinski et al., [How transferable are features in deep neural
        networks?](https://arxiv.org/abs/1411.1792), 2014.
    """

    def init(params: PyTree) -> optax.EmptyState:
        check_real_tree("params", params)
        return optax.EmptyState()

    def update(
        updates: PyTree,
        state: optax.EmptyState,
        params: PyTree | None = None,
        **extra_args: object,
    ) -> tuple[PyTree, optax.EmptyState]:
        del params, extra_args
        check_real_tree("updates", updates)

        def stop(frozen: bool, u: Array) -> Array:
            return jnp.zeros_like(u) if frozen else u

        return jax.tree.map(stop, mask_tree(mask, updates), updates), state

    return optax.GradientTransformationExtraArgs(init, update)
