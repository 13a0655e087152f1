"""The L1 penalty: a pull towards zero whose strength does not depend on the weight."""

import jax.numpy as jnp
import optax

from jaxtricks._prefix import Mask
from jaxtricks.optimizers._added_term import added_term
from jaxtricks.schedules import ScalarOrSchedule


def add_l1(
    strength: ScalarOrSchedule, *, mask: Mask = None
) -> optax.GradientTransformationExtraArgs:
    r"""Adds the gradient of the L1 penalty $\lambda \sum |w|$ to the updates.

    The updates become $g + \lambda \, \mathrm{sign}(w)$; at $w = 0$ the added term is 0, one of the
    subgradients there. Put this transformation first in the chain, so that the update rule sees the
    gradient of the penalised loss. `update` needs the argument `params`. Weights come close to 0
    and then jump from one side of it to the other, but hardly ever become exactly 0. For exact
    zeros use `proximal_l1` instead.

    Args:
        strength: $\lambda \ge 0$, a number or a schedule, for a loss that is a mean over examples.
            For a loss that is a sum over examples, multiply it by their number.
        mask: which parameters to penalise: a tree of bools (or a prefix of the parameters' tree),
            or a function of the parameters that returns one, such as `weights_only`. None means
            all.

    Raises:
        ValueError: `strength` is negative or not finite, or `update` gets no `params`.

    Example:
        >>> tx, params = add_l1(0.1), jnp.array([2.0, -0.5, 0.0])
        >>> updates, _ = tx.update(jnp.zeros(3), tx.init(params), params)
        >>> [round(float(u), 3) for u in updates]
        [0.1, -0.1, 0.0]

    References:
        Tibshirani, [Regression shrinkage and selection via the
        lasso](https://doi.org/10.1111/j.2517-6161.1996.tb02080.x), 1996.
    """
    return added_term(strength, jnp.sign, mask)
