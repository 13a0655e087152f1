"""Momentum that corrects itself: the gradient is taken where the velocity leads."""

import optax

from jaxtricks.optimizers._momentum import momentum
from jaxtricks.schedules import ScalarOrSchedule


def nesterov(
    learning_rate: ScalarOrSchedule, *, decay: ScalarOrSchedule = 0.9, lr_inside: bool = True
) -> optax.GradientTransformationExtraArgs:
    r"""Nesterov's momentum on the look-ahead point: the parameters are $\tilde x = x + \rho v$.

    $v' = \rho v - \alpha g(\tilde x)$, $\tilde x' = \tilde x + v' + \rho (v' - v)$. As
    $v' - \rho v = -\alpha g$, the step is $\rho v' - \alpha g$: `scale_by_momentum(nesterov=True)`.
    In exact arithmetic the points are those of the first form, $v \leftarrow \rho v - \alpha \nabla
    f(x + \rho v)$, $x \leftarrow x + v$ (see `lookahead_point`), also while $\alpha$ changes, as
    long as $\rho$ does not; `base_point` finds $x$.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule.
        decay: $\rho$, in `[0, 1]`, a number or a schedule.
        lr_inside: False multiplies by the rate after the velocity, as PyTorch and optax do; the
            same as long as $\alpha$ does not change.

    Raises:
        ValueError: a hyper-parameter is out of range.

    Example:
        >>> import jax.numpy as jnp
        >>> tx, decay = nesterov(0.5, decay=0.8), 0.8
        >>> params = jnp.array(1.0)
        >>> updates, state = tx.update(params, tx.init(params))  # of x ** 2 / 2
        >>> params = params + updates
        >>> velocity = optax.tree.get(state, "velocity")
        >>> [round(float(a), 3) for a in (params, velocity, params - decay * velocity)]
        [0.1, -0.5, 0.5]

    References:
        Nesterov, 1983; Bengio et al., [Advances in optimizing recurrent
        networks](https://arxiv.org/abs/1212.0901), 2012, section 3.5.
    """
    return momentum(learning_rate, decay=decay, lr_inside=lr_inside, nesterov=True)
