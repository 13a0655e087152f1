"""The L1 penalty: the sum of the weights' sizes."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxtricks._prefix import Mask
from jaxtricks._types import ScalarLike
from jaxtricks.regularizers._penalty import penalty


def l1(params: PyTree, strength: ScalarLike, *, mask: Mask = None) -> Float[Array, ""]:
    r"""Returns $\lambda \sum |w|$, to be added to a loss.

    Its gradient is $\lambda \, \mathrm{sign}(w)$, and 0 at $w = 0$, as `optimizers.add_l1` adds it.
    With such a gradient weights come near 0 and seldom reach it; `optimizers.proximal_l1` sets them
    to 0 exactly.

    Args:
        params: a tree of weights, floating arrays.
        strength: $\lambda \ge 0$; it may be traced.
        mask: which leaves to penalise, as a tree of bools (or a prefix) or a function of the
            parameters such as `optimizers.weights_only`; None is all.

    Returns:
        A scalar, in float32 or the widest dtype of the leaves, whichever is wider.

    Raises:
        ValueError: `strength` is negative or not finite, or there is no leaf to penalise.
        TypeError: a leaf of `params` is not a floating array, or one of the mask not a bool.

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
    """The size of each entry; its derivative at 0 is 0, where that of `jnp.abs` is 1."""
    return w * jax.lax.stop_gradient(jnp.sign(w))
