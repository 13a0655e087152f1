"""Nesterov's momentum: the gradient is taken at the point to which the velocity leads."""

import optax

from jaxtricks.optimizers._momentum import momentum
from jaxtricks.schedules import ScalarOrSchedule


def nesterov(
    learning_rate: ScalarOrSchedule, *, decay: ScalarOrSchedule = 0.9, lr_inside: bool = True
) -> optax.GradientTransformationExtraArgs:
    r"""The optimizer with Nesterov's momentum; its parameters are the look-ahead point.

    The parameters are $\tilde x = x + \rho v$, and an update is $v' = \rho v - \alpha g(\tilde x)$,
    $\tilde x' = \tilde x + v' + \rho (v' - v)$. Because $v' - \rho v = -\alpha g$, the step is
    $\rho v' - \alpha g$, that of `scale_by_momentum(nesterov=True)`. In exact arithmetic the points
    are those of the usual form, $v \leftarrow \rho v - \alpha \nabla f(x + \rho v)$,
    $x \leftarrow x + v$ (see `lookahead_point`), even if $\alpha$ changes, as long as $\rho$ is
    constant. `base_point` computes $x$ from the parameters and the velocity.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule.
        decay: $\rho$, in `[0, 1]`, a number or a schedule.
        lr_inside: whether the learning rate multiplies the gradient before it enters the velocity.
            If False, it multiplies the velocity, as in PyTorch and optax; the steps are the same
            while $\alpha$ is constant.

    Raises:
        ValueError: a hyper-parameter is out of range.
        TypeError: `lr_inside` is not a bool.

    Example:
        >>> import jax.numpy as jnp
        >>> tx, decay = nesterov(0.5, decay=0.8), 0.8
        >>> params = jnp.array(1.0)
        >>> updates, state = tx.update(params, tx.init(params))  # the gradient of x**2 / 2
        >>> params = params + updates
        >>> velocity = optax.tree.get(state, "velocity")
        >>> [round(float(a), 3) for a in (params, velocity, params - decay * velocity)]
        [0.1, -0.5, 0.5]

    References:
        Nesterov, 1983; Bengio et al., [Advances in optimizing recurrent
        networks](https://arxiv.org/abs/1212.0901), 2012, section 3.5.
    """
    return momentum(learning_rate, decay=decay, lr_inside=lr_inside, nesterov=True)
