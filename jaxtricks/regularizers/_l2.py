"""The L2 penalty: the sum of the weights' squares."""

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxtricks._checks import check_flag
from jaxtricks._prefix import Mask
from jaxtricks._types import ScalarLike
from jaxtricks.regularizers._penalty import penalty


def l2(
    params: PyTree, strength: ScalarLike, *, half: bool = True, mask: Mask = None
) -> Float[Array, ""]:
    r"""Returns $\frac\lambda2 \sum w^2$, to be added to a loss.

    Its gradient is $\lambda w$, as `optimizers.add_l2` adds it. Under plain gradient descent it is
    weight decay, $w \leftarrow (1 - \alpha \lambda) w - \alpha g$. Under momentum and adaptive
    rules it is not; `optimizers.add_decoupled_decay` is.

    Args:
        params: a tree of weights, floating arrays.
        strength: $\lambda \ge 0$; it may be traced.
        half: False leaves out the $\frac12$: the penalty is $\lambda \sum w^2$, its gradient
            $2 \lambda w$.
        mask: which leaves to penalise, as a tree of bools (or a prefix) or a function of the
            parameters such as `optimizers.weights_only`; None is all.

    Returns:
        A scalar, in float32 or the widest dtype of the leaves, whichever is wider.

    Raises:
        ValueError: `strength` is negative or not finite, or there is no leaf to penalise.
        TypeError: a leaf of `params` is not a floating array, one of the mask not a bool, or `half`
            not a bool.

    Example:
        >>> params = {"kernel": jnp.array([2.0, -1.0]), "bias": jnp.array([5.0])}
        >>> weights = {"kernel": True, "bias": False}
        >>> [float(l2(params, 0.5, half=half, mask=weights)) for half in (True, False)]
        [1.25, 2.5]

    References:
        Krogh and Hertz, [A simple weight decay can improve
        generalization](https://papers.nips.cc/paper/1991/hash/8eefcfdf5990e441f0fb6f3fad709e21-Abstract.html),
        1991.
    """
    check_flag("half", half)
    return penalty(params, strength, lambda w: jnp.square(w) / 2 if half else jnp.square(w), mask)
