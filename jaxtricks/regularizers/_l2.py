"""The L2 penalty: the sum of the squares of the weights."""

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxtricks._checks import check_flag
from jaxtricks._prefix import Mask
from jaxtricks._types import ScalarLike
from jaxtricks.regularizers._penalty import penalty


def l2(
    params: PyTree, strength: ScalarLike, *, half: bool = True, mask: Mask = None
) -> Float[Array, ""]:
    r"""Returns the L2 penalty $\frac\lambda2 \sum w^2$, to be added to a loss.

    Its gradient is $\lambda w$, which `optimizers.add_l2` adds to the updates. With plain gradient
    descent it acts as weight decay, $w \leftarrow (1 - \alpha \lambda) w - \alpha g$. With momentum
    and adaptive update rules it does not; for weight decay use `optimizers.add_decoupled_decay`.

    Args:
        params: a tree of weights, which are floating arrays.
        strength: $\lambda \ge 0$; it may be traced.
        half: whether to multiply by $\frac12$. If False, the penalty is $\lambda \sum w^2$ and its
            gradient $2 \lambda w$.
        mask: which leaves to penalise: a tree of bools (or a prefix of one), or a function from the
            parameters to such a tree, such as `optimizers.weights_only`. None penalises all leaves.

    Returns:
        The penalty, a scalar in float32 or in the widest dtype of the leaves if that is wider.

    Raises:
        ValueError: `strength` is negative or not finite, or `mask` chooses no leaf.
        TypeError: a leaf of `params` is not a floating array, a leaf of `mask` is not a bool, or
            `half` is not a bool.

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
