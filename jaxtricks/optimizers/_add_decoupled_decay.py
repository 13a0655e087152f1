"""Weights that shrink by a fixed share in each step, whatever the rule makes of the gradient."""

import optax

from jaxtricks._prefix import Mask
from jaxtricks.optimizers._added_term import added_term
from jaxtricks.schedules import ScalarOrSchedule


def add_decoupled_decay(
    strength: ScalarOrSchedule, *, mask: Mask = None
) -> optax.GradientTransformationExtraArgs:
    r"""Adds $\lambda w$ to the rule's output: $w \leftarrow (1 - \alpha \lambda) w - \alpha u$.

    The place in the chain matters: after the rule and before the rate, as in
    `optax.chain(scale_by_adam(), add_decoupled_decay(0.01), gradient_descent(1e-3))`, which is
    AdamW. Before the rule the same term would be `add_l2`. Behind the rate nothing would turn its
    sign, and the weights would grow. `update` needs `params`.

    A rule with the rate inside its velocity has no such place, because it already returns a
    displacement of the parameters.

    Args:
        strength: $\lambda \ge 0$, a number or a schedule; the share lost per step is
            $\alpha \lambda$.
        mask: which leaves decay, as a tree of bools (or a prefix) or a function of the parameters
            such as `weights_only`; None is all.

    Raises:
        ValueError: `strength` is negative or not finite, or `update` gets no parameters.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxtricks.optimizers import gradient_descent, scale_by_adam
        >>> tx = optax.chain(scale_by_adam(), add_decoupled_decay(0.1), gradient_descent(0.5))
        >>> params = jnp.array([20.0, -20.0])
        >>> updates, _ = tx.update(jnp.zeros(2), tx.init(params), params)
        >>> updates.tolist()  # 5 % of the weights, though the gradient is 0
        [-1.0, 1.0]

    References:
        Loshchilov and Hutter, [Decoupled Weight Decay
        Regularization](https://arxiv.org/abs/1711.05101), 2019.
    """
    return added_term(strength, lambda w: w, mask)
