"""The elastic-net penalty: L1 and L2 together."""

import jax.numpy as jnp
import optax

from jaxtricks._checks import check_range
from jaxtricks._moments import scalar_like
from jaxtricks._prefix import Mask
from jaxtricks._types import ScalarLike
from jaxtricks.optimizers._added_term import added_term
from jaxtricks.schedules import ScalarOrSchedule


def add_elastic_net(
    strength: ScalarOrSchedule, ratio: ScalarLike, *, mask: Mask = None
) -> optax.GradientTransformationExtraArgs:
    r"""Adds the gradient of the elastic net, $\lambda \sum (|w| + \beta w^2)$, to the updates.

    The updates become $g + \lambda (\mathrm{sign}(w) + 2 \beta w)$; at $w = 0$ the added term is 0.
    Unlike in scikit-learn, the square has no factor $\frac12$, and the coefficients of the two
    terms do not add up to $\lambda$. Put this transformation first in the chain, so that the update
    rule sees the gradient of the penalised loss. `update` needs the argument `params`.

    Args:
        strength: $\lambda \ge 0$, a number or a schedule.
        ratio: $\beta \ge 0$, the weight of the squares relative to the absolute values; 0 is
            `add_l1`.
        mask: which parameters to penalise: a tree of bools (or a prefix of the parameters' tree),
            or a function of the parameters that returns one, such as `weights_only`. None means
            all.

    Raises:
        ValueError: a hyper-parameter is negative or not finite, or `update` gets no `params`.

    Example:
        >>> tx, params = add_elastic_net(0.1, 0.5), jnp.array([2.0, -1.0, 0.0])
        >>> updates, _ = tx.update(jnp.zeros(3), tx.init(params), params)
        >>> [round(float(u), 3) for u in updates]
        [0.3, -0.2, 0.0]

    References:
        Zou and Hastie, [Regularization and variable selection via the elastic
        net](https://doi.org/10.1111/j.1467-9868.2005.00503.x), 2005.
    """
    check_range("ratio", ratio, low=0.0)
    return added_term(strength, lambda w: jnp.sign(w) + 2 * scalar_like(ratio, w) * w, mask)
