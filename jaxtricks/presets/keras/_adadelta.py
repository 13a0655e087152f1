"""`keras.optimizers.Adadelta`."""

import optax

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.optimizers import gradient_descent, scale_by_adadelta
from jaxtricks.presets.keras._optimizer import optimizer
from jaxtricks.schedules import ScalarOrSchedule


def adadelta(
    learning_rate: ScalarOrSchedule = 0.001,
    rho: ScalarLike = 0.95,
    epsilon: ScalarLike = 1e-7,
    weight_decay: ScalarLike | None = None,
    clipnorm: ScalarLike | None = None,
    clipvalue: ScalarLike | None = None,
    global_clipnorm: ScalarLike | None = None,
    use_ema: bool = False,
    ema_momentum: ScalarLike = 0.99,
    ema_overwrite_frequency: int | None = None,
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
        clipnorm: largest norm of each leaf's gradient; at most one of the three is not None.
        clipvalue: largest absolute value of each coordinate of the gradient.
        global_clipnorm: largest norm of the gradients of all leaves together.
        use_ema: whether to average the parameters as `presets.keras` says; `update` then needs
            `params`.
        ema_momentum: the average's decay, in `[0, 1]`.
        ema_overwrite_frequency: every how many updates the average replaces the parameters.

    Raises:
        ValueError: an argument is out of range, or two kinds of clipping are asked for.
        TypeError: a flag is not a bool.

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
    return optimizer(
        (rule, gradient_descent(learning_rate)),
        learning_rate,
        weight_decay,
        clipnorm=clipnorm,
        clipvalue=clipvalue,
        global_clipnorm=global_clipnorm,
        use_ema=use_ema,
        ema_momentum=ema_momentum,
        ema_overwrite_frequency=ema_overwrite_frequency,
    )
