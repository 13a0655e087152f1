"""The elastic net: the sum of an L1 and an L2 penalty."""

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxtricks._checks import check_range
from jaxtricks._moments import scalar_like
from jaxtricks._prefix import Mask
from jaxtricks._types import ScalarLike
from jaxtricks.regularizers._l1 import absolute
from jaxtricks.regularizers._penalty import penalty


def elastic_net(
    params: PyTree, strength: ScalarLike, ratio: ScalarLike, *, mask: Mask = None
) -> Float[Array, ""]:
    r"""Returns the elastic-net penalty $\lambda \sum (|w| + \beta w^2)$, to be added to a loss.

    `optimizers.add_elastic_net` adds its gradient to the updates. The square has no factor
    $\frac12$. The penalty of scikit-learn, $\alpha (\rho |w| + \frac{1 - \rho}2 w^2)$, is the same
    with $\lambda = \alpha \rho$ and $\beta = (1 - \rho) / (2 \rho)$.

    Args:
        params: a tree of weights, which are floating arrays.
        strength: $\lambda \ge 0$; it may be traced.
        ratio: $\beta \ge 0$, the weight of the square relative to that of the absolute value; 0
            gives `l1`. It may be traced.
        mask: which leaves to penalise: a tree of bools (or a prefix of one), or a function from the
            parameters to such a tree, such as `optimizers.weights_only`. None penalises all leaves.

    Returns:
        The penalty, a scalar in float32 or in the widest dtype of the leaves if that is wider.

    Raises:
        ValueError: `strength` or `ratio` is negative or not finite, or `mask` chooses no leaf.
        TypeError: a leaf of `params` is not a floating array, or a leaf of `mask` is not a bool.

    Example:
        >>> float(elastic_net({"w": jnp.array([2.0, -1.0])}, 0.5, 0.5))
        2.75

    References:
        Zou and Hastie, [Regularization and variable selection via the elastic
        net](https://doi.org/10.1111/j.1467-9868.2005.00503.x), 2005.
    """
    check_range("ratio", ratio, low=0.0)

    def term(w: Array) -> Array:
        return absolute(w) + scalar_like(ratio, w) * jnp.square(w)

    return penalty(params, strength, term, mask)
