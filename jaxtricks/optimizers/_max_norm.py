"""Limiting the norm of each unit's weight vector by a projection after the step."""

import jax.numpy as jnp
import optax
from jax.tree_util import keystr, tree_map_with_path
from jaxtyping import Array, PyTree

from jaxtricks._checks import check_integer, check_range
from jaxtricks._moments import cast_like, root, scalar_like, to_float32
from jaxtricks._prefix import Mask, expand_mask
from jaxtricks._tree_checks import check_floating_tree, check_params_given, check_updates
from jaxtricks._types import ScalarLike


def max_norm(
    limit: ScalarLike, *, axis: int = -1, mask: Mask = None
) -> optax.GradientTransformationExtraArgs:
    r"""Shortens each unit's weight vector to `limit` where the step would make it longer.

    With $z_j$ the incoming weights of unit $j$ after the step, the new weights are
    $z_j \min(1, c / \lVert z_j \rVert_2)$, the nearest point of the ball with radius $c$. Unlike a
    penalty, the projection does not change shorter vectors, and it bounds the weights at any
    learning rate. Put it last in the chain; only `freeze_dropped` comes after it. `update` needs
    the argument `params`. Because the new weights are the sum of the old weights and the update,
    their norm may exceed `limit` by the rounding of this sum. If a trainer scales the updates by a
    plateau rule, a vector that is too long is shortened only in part at each update.

    Args:
        limit: $c \ge 0$, the largest norm. 3 or 4 are usual together with dropout; with 0 all
            weights become 0. It may be traced.
        axis: the axis of a parameter that counts the units; the norm is over all its other axes. -1
            is right for the kernels of Flax's `Dense` (inputs, units) and `Conv` (height, width,
            inputs, units). A parameter with one axis has one number per unit, whose absolute value
            is limited, as is that of a scalar.
        mask: which parameters to limit: a tree of bools (or a prefix of the parameters' tree), or a
            function of the parameters that returns one, such as `weights_only`, which excludes
            biases. None means all.

    Raises:
        ValueError: `limit` is negative or not finite, `update` gets no `params`, or a parameter
            does not have the axis.
        TypeError: a leaf is not floating-point, or `axis` is not an integer.

    Example:
        >>> from jaxtricks.optimizers import weights_only
        >>> params = {"kernel": jnp.array([[3.0, 0.3], [4.0, 0.4]]), "bias": jnp.array([5.0, 5.0])}
        >>> tx, step = max_norm(1.0, mask=weights_only), optax.tree.zeros_like(params)
        >>> updates, _ = tx.update(step, tx.init(params), params)
        >>> end = optax.apply_updates(params, updates)
        >>> print([f"{w:.1f}" for w in end["kernel"].ravel()], end["bias"])
        ['0.6', '0.3', '0.8', '0.4'] [5. 5.]

    References:
        Srebro and Shraibman, [Rank, trace-norm and max-norm](https://doi.org/10.1007/11503415_37),
        2005. With dropout: Srivastava et al., [Dropout: a simple way to prevent neural networks
        from overfitting](
        https://jmlr.org/papers/v15/srivastava14a.html), 2014, section 5.1.
    """
    check_range("limit", limit, low=0.0)
    check_integer("axis", axis)

    def init(params: PyTree) -> optax.EmptyState:
        check_floating_tree("params", params)
        return optax.EmptyState()

    def update(
        updates: PyTree, state: optax.EmptyState, params: PyTree | None = None, **extra_args: object
    ) -> tuple[PyTree, optax.EmptyState]:
        del extra_args
        check_params_given(params)
        check_updates(updates, params)

        def project(path: tuple, chosen: bool, u: Array, w: Array) -> Array:
            if not chosen:
                return u
            if w.ndim and not -w.ndim <= axis < w.ndim:
                raise ValueError(
                    f"axis must be one of the {w.ndim} axes of params{keystr(path)}, got {axis}; "
                    "exclude the parameter by mask, as weights_only excludes biases."
                )
            others = tuple(one for one in range(w.ndim) if one != axis % w.ndim)
            end, most = w + u, scalar_like(limit, w)
            largest = jnp.max(jnp.abs(end), axis=others, keepdims=True, initial=0)
            unit = jnp.where(largest > 0, largest, 1)  # so that no square overflows
            norm = unit * root(jnp.sum(jnp.square(end / unit), axis=others, keepdims=True))
            long = norm > most
            return jnp.where(long, end * (most / jnp.where(long, norm, 1)) - w, u)

        chosen = expand_mask("mask", mask, params)
        steps = tree_map_with_path(project, chosen, to_float32(updates), to_float32(params))
        return cast_like(steps, updates), state

    return optax.GradientTransformationExtraArgs(init, update)
