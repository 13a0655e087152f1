"""The L1 and L2 penalties together."""

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
    r"""Returns $\lambda \sum (|w| + \beta w^2)$, to be added to a loss.

    Its gradient is what `optimizers.add_elastic_net` adds. There is no $\frac12$, and the two
    weights do not add up to one: scikit-learn's $\alpha (\rho |w| + \frac{1 - \rho}2 w^2)$ is
    $\lambda = \alpha \rho$ and $\beta = (1 - \rho) / (2 \rho)$.

    Args:
        params: a tree of weights, floating arrays.
        strength: $\lambda \ge 0$; it may be traced.
        ratio: $\beta \ge 0$, the square's weight against the absolute value's; 0 is `l1`. It may be
            traced.
        mask: which leaves to penalise, as a tree of bools (or a prefix) or a function of the
            parameters such as `optimizers.weights_only`; None is all.

    Returns:
        A scalar, in float32 or the widest dtype of the leaves, whichever is wider.

    Raises:
        ValueError: a hyper-parameter is negative or not finite, or there is no leaf to penalise.
        TypeError: a leaf of `params` is not a floating array, or one of the mask not a bool.

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
