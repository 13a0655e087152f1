"""Decoupled weight decay: each step shrinks the weights by a fixed share."""

import optax

from jaxtricks._prefix import Mask
from jaxtricks.optimizers._added_term import added_term
from jaxtricks.schedules import ScalarOrSchedule


def add_decoupled_decay(
    strength: ScalarOrSchedule, *, mask: Mask = None
) -> optax.GradientTransformationExtraArgs:
    r"""Adds decoupled weight decay, $\lambda w$, to the output of an update rule.

    With $u$ the output of the rule and $\alpha$ the learning rate, the step of the whole chain is
    $w \leftarrow (1 - \alpha \lambda) w - \alpha u$. The place in the chain matters: put this
    transformation after the rule and before the learning rate, as in
    `optax.chain(scale_by_adam(), add_decoupled_decay(0.01), gradient_descent(1e-3))`, which is
    AdamW. Before the rule the same term would be `add_l2`. After the learning rate nothing would
    reverse its sign, and the weights would grow. `update` needs the argument `params`.

    An optimizer whose velocity contains the learning rate, such as `momentum` with `lr_inside`, has
    no such place: the output of its rule is already a displacement of the parameters.

    Args:
        strength: $\lambda \ge 0$, a number or a schedule. Each step shrinks the weights by the
            share $\alpha \lambda$.
        mask: which parameters decay: a tree of bools (or a prefix of the parameters' tree), or a
            function of the parameters that returns one, such as `weights_only`. None means all.

    Raises:
        ValueError: `strength` is negative or not finite, or `update` gets no `params`.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxtricks.optimizers import gradient_descent, scale_by_adam
        >>> tx = optax.chain(scale_by_adam(), add_decoupled_decay(0.1), gradient_descent(0.5))
        >>> params = jnp.array([20.0, -20.0])
        >>> updates, _ = tx.update(jnp.zeros(2), tx.init(params), params)
        >>> updates.tolist()  # -5 % of the weights, although the gradient is 0
        [-1.0, 1.0]

    References:
        Loshchilov and Hutter, [Decoupled Weight Decay
        Regularization](https://arxiv.org/abs/1711.05101), 2019.
    """
    return added_term(strength, lambda w: w, mask)
