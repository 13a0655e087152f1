"""The learning rate that an adaptive rule applies to each coordinate."""

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
    r"""Computes the learning rate of each coordinate under an adaptive rule.

    Plain gradient descent has one learning rate for all coordinates. AdaGrad, RMSProp and Adam have
    one for each coordinate, $\alpha / (\sqrt r + \varepsilon)$.

    Args:
        learning_rate: $\alpha \ge 0$.
        second_moment: a pytree of $r \ge 0$: the `sum_of_squares` in the state of AdaGrad, or the
            `nu` in that of RMSProp or Adam. If the rule corrects the bias, divide `nu` by
            $1 - \beta_2^t$ first, where $t$ is the number of updates so far.
        eps: $\varepsilon \ge 0$ of the rule. With 0, the result is 0 where $r = 0$.
        eps_inside: whether the rule adds $\varepsilon$ under the root:
            $\alpha / \sqrt{r + \varepsilon}$.

    Returns:
        A tree like `second_moment`, in float32 or wider.

    Raises:
        ValueError: a hyper-parameter is out of range.
        TypeError: `eps_inside` is not a bool, or a leaf is complex or holds no numbers.

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
