"""A pull of constant strength towards zero."""

import jax.numpy as jnp
import optax
from jaxtyping import ScalarLike

from jaxtricks._checks import check_range
from jaxtricks.optimizers._added_term import added_term
from jaxtricks.optimizers._mask import Mask


def add_l1(strength: ScalarLike, *, mask: Mask = None) -> optax.GradientTransformationExtraArgs:
    r"""Adds the gradient of $\lambda \sum |w|$ to the updates: $g + \lambda \, \mathrm{sign}(w)$.

    At $w = 0$ it adds 0, one of the subgradients there. Weights come close to zero and then swing
    around it by a step, they hardly ever stay on it: for exact zeros use `proximal_l1`. First in
    the chain, so that the rule sees the gradient of the penalised loss; needs `params`.

    Args:
        strength: $\lambda \ge 0$, of a loss that is a mean over examples; for a sum it is
            multiplied by their number.
        mask: which leaves to penalise, as a tree of bools (or a prefix) or a function of the
            parameters such as `weights_only`; None is all.

    Raises:
        ValueError: `strength` is negative or not finite, or `update` gets no parameters.

    Example:
        >>> tx, params = add_l1(0.1), jnp.array([2.0, -0.5, 0.0])
        >>> updates, _ = tx.update(jnp.zeros(3), tx.init(params), params)
        >>> [round(float(u), 3) for u in updates]
        [0.1, -0.1, 0.0]

    References:
        S-REG-01; notes 002:634, 004:668.
    """
    check_range("strength", strength, low=0.0)
    return added_term(lambda w: strength * jnp.sign(w), mask)
