"""Parameters that stay as they are."""

import jax
import optax
from jaxtyping import PyTree

from jaxtricks._checks import check_functions
from jaxtricks._prefix import Mask, expand_mask
from jaxtricks._tree_checks import check_same_tree


def freeze(tx: optax.GradientTransformation, mask: Mask) -> optax.GradientTransformationExtraArgs:
    r"""Applies `tx` to the parameters where the mask is False; the others stay as they are.

    Wrap the whole chain, clipping and weight decay included. `tx` sees neither the gradients nor
    the values of the frozen parameters, as if they were not there: they have no part in the norm by
    which `optax.clip_by_global_norm` scales, a NaN among them harms nobody, and there are no
    moments of them. Their updates are 0. This is `requires_grad=False` in PyTorch; as there, the
    running statistics of a batch norm are no parameters and go on. To train them again later, begin
    with a new state. A trainer counts a NaN among the parameters themselves in `"non_finite"`:
    `training.trainer(trainable=)` leaves those out that are not trained.

    Args:
        tx: the complete rule, with its learning rate.
        mask: which leaves to freeze, as a tree of bools (or a prefix: one bool for a whole layer)
            or a function of the parameters or updates, which have the same names; None is all.

    Raises:
        ValueError: the mask does not fit the parameters or the updates.
        TypeError: `tx` is not a gradient transformation, or a leaf of the mask is not a bool.

    Example:
        >>> import jax.numpy as jnp
        >>> rule = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.5))
        >>> tx = freeze(rule, {"body": True, "head": False})
        >>> params = {"body": jnp.ones(2), "head": jnp.ones(2)}
        >>> grads = {"body": jnp.array([50.0, jnp.nan]), "head": jnp.array([1.0, 0.0])}
        >>> updates, _ = tx.update(grads, tx.init(params), params)
        >>> updates["body"].tolist(), updates["head"].tolist()
        ([0.0, 0.0], [-0.5, -0.0])

    References:
        Yosinski et al., [How transferable are features in deep neural
        networks?](https://arxiv.org/abs/1411.1792), 2014.
    """
    check_functions("tx", tx, optax.GradientTransformation)

    def labels(tree: PyTree) -> PyTree:
        frozen = expand_mask("mask", mask, tree)
        return jax.tree.map(lambda stopped: "frozen" if stopped else "trained", frozen)

    rule = optax.partition({"frozen": optax.set_to_zero(), "trained": tx}, labels)

    def update(
        updates: PyTree, state: PyTree, params: PyTree | None = None, **extra_args: object
    ) -> tuple[PyTree, PyTree]:
        if params is not None:
            check_same_tree("updates", updates, "params", params)
        return rule.update(updates, state, params, **extra_args)

    return optax.GradientTransformationExtraArgs(rule.init, update)
