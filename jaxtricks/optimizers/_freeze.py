"""Keeping some of the parameters fixed."""

import jax
import optax
from jaxtyping import PyTree

from jaxtricks._checks import check_functions
from jaxtricks._prefix import Mask, expand_mask
from jaxtricks._tree_checks import check_same_tree


def freeze(tx: optax.GradientTransformation, mask: Mask) -> optax.GradientTransformationExtraArgs:
    """Applies `tx` to the parameters where `mask` is False, and keeps the others fixed.

    Wrap the whole chain, with clipping and weight decay. `tx` sees neither the gradients nor the
    values of the frozen parameters: they do not count in the norm of `optax.clip_by_global_norm`, a
    NaN in their gradients has no effect, and no moments are kept for them. Their updates are 0.
    This is `requires_grad=False` in PyTorch; as there, the running statistics of a batch norm are
    not parameters and still change. To train frozen parameters again later, begin with a new state.
    If a frozen parameter itself is NaN, a trainer still counts it in the metric `"non_finite"`. The
    argument `trainable` of `training.trainer` leaves parameters that are not trained out of it.

    Args:
        tx: the complete optimizer, with its learning rate.
        mask: which parameters to freeze: a tree of bools (or a prefix of the parameters' tree, such
            as one bool for a whole layer), or a function that returns one. The function receives
            the parameters or the updates, which have the same names. None freezes all.

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
