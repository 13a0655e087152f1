"""`keras.optimizers.Adadelta`."""

import optax

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.optimizers import gradient_descent, scale_by_adadelta
from jaxtricks.presets.keras._shrink import shrunk
from jaxtricks.schedules import ScalarOrSchedule


def adadelta(
    learning_rate: ScalarOrSchedule = 0.001,
    rho: ScalarLike = 0.95,
    epsilon: ScalarLike = 1e-7,
    weight_decay: ScalarLike | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""`keras.optimizers.Adadelta`: the paper's rule times a learning rate, 0.001 by default.

    $u_t = g_t \sqrt{d_{t-1} + \varepsilon} / \sqrt{s_t + \varepsilon}$,
    $x \leftarrow x - \alpha u_t$, with $s$ and $d$ the averages of $g^2$ and $u^2$. The paper has
    $\alpha = 1$.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule.
        rho: $\rho$, in `[0, 1]`, of both averages.
        epsilon: $\varepsilon \ge 0$, inside both roots.
        weight_decay: $\lambda \ge 0$, decoupled; unless None, `update` needs `params`.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> import jax.numpy as jnp
        >>> tx = adadelta(1.0)
        >>> step, _ = tx.update(jnp.array(20.0), tx.init(jnp.zeros(())))
        >>> round(float(step), 6)
        -0.001414

    References:
        [Keras's `Adadelta`](https://keras.io/api/optimizers/adadelta/); Zeiler,
        [ADADELTA](https://arxiv.org/abs/1212.5701), 2012.
    """
    check_range("rho", rho, low=0.0, high=1.0)
    check_range("epsilon", epsilon, low=0.0)
    rule = scale_by_adadelta(rho, eps=epsilon)
    return shrunk((rule, gradient_descent(learning_rate)), learning_rate, weight_decay)
