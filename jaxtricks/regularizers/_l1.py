"""The L1 penalty: the sum of the absolute values of the weights."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxtricks._prefix import Mask
from jaxtricks._types import ScalarLike
from jaxtricks.regularizers._penalty import penalty


def l1(params: PyTree, strength: ScalarLike, *, mask: Mask = None) -> Float[Array, ""]:
    r"""Returns the L1 penalty $\lambda \sum |w|$, to be added to a loss.

    Its gradient is $\lambda \, \mathrm{sign}(w)$, which is 0 at $w = 0$; `optimizers.add_l1` adds
    it to the updates. With this gradient weights come near 0 but seldom become exactly 0;
    `optimizers.proximal_l1` sets small weights to exactly 0.

    Args:
        params: a tree of weights, which are floating arrays.
        strength: $\lambda \ge 0$; it may be traced.
        mask: which leaves to penalise: a tree of bools (or a prefix of one), or a function from the
            parameters to such a tree, such as `optimizers.weights_only`. None penalises all leaves.

    Returns:
        The penalty, a scalar in float32 or in the widest dtype of the leaves if that is wider.

    Raises:
        ValueError: `strength` is negative or not finite, or `mask` chooses no leaf.
        TypeError: a leaf of `params` is not a floating array, or a leaf of `mask` is not a bool.

    Example:
        >>> params = {"kernel": jnp.array([2.0, -1.0, 0.0]), "bias": jnp.array([5.0])}
        >>> float(l1(params, 0.1, mask={"kernel": True, "bias": False}))
        0.30000001192092896

    References:
        Tibshirani, [Regression shrinkage and selection via the
        lasso](https://doi.org/10.1111/j.2517-6161.1996.tb02080.x), 1996.
    """
    return penalty(params, strength, absolute, mask)


def absolute(w: Array) -> Array:
    """Returns absolute values, whose derivative at 0 is 0, while that of `jnp.abs` is 1."""
    return w * jax.lax.stop_gradient(jnp.sign(w))
