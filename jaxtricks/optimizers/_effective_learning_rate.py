"""The rate that an adaptive rule really applies to each coordinate."""

import jax
from jaxtyping import PyTree

from jaxtricks._checks import check_flag, check_range
from jaxtricks._moments import divide_by_root, scalar_like, to_float32
from jaxtricks._tree_checks import check_real_tree
from jaxtricks._types import ScalarLike


def effective_learning_rate(
    learning_rate: ScalarLike,
    second_moment: PyTree,
    *,
    eps: ScalarLike = 1e-7,
    eps_inside: bool = False,
) -> PyTree:
    r"""Returns $\alpha / (\sqrt r + \varepsilon)$ for every coordinate.

    Plain gradient descent has one rate for all directions; AdaGrad, RMSProp and Adam have one for
    each, which this function computes.

    Args:
        learning_rate: $\alpha \ge 0$.
        second_moment: a pytree of $r \ge 0$: AdaGrad's `sum_of_squares`, RMSProp's or Adam's
            `second_moment` (Adam's and a corrected RMSProp's divided by $1 - \beta_2^t$ first).
        eps: $\varepsilon \ge 0$, the rule's own; with 0, the rate where $r = 0$ is 0.
        eps_inside: the rule's own: $\alpha / \sqrt{r + \varepsilon}$.

    Raises:
        ValueError: a hyper-parameter is out of range.
        TypeError: a flag is not a bool, or a leaf is complex.

    Example:
        >>> import jax.numpy as jnp
        >>> rates = effective_learning_rate(0.1, {"w": jnp.array([4.0, 1e-4, 0.0])}, eps=0.0)
        >>> [round(float(x), 3) for x in rates["w"]]
        [0.05, 10.0, 0.0]

    References:
        Duchi et al., [Adaptive subgradient methods](https://jmlr.org/papers/v12/duchi11a.html),
        2011.
    """
    check_range("learning_rate", learning_rate, low=0.0)
    check_range("eps", eps, low=0.0)
    check_flag("eps_inside", eps_inside)
    check_real_tree("second_moment", second_moment)
    return jax.tree.map(
        lambda r: divide_by_root(scalar_like(learning_rate, r), r, eps, eps_inside=eps_inside),
        to_float32(second_moment),
    )
