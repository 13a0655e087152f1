"""The optimizer `keras.optimizers.Adadelta`."""

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
    r"""Computes the updates of `keras.optimizers.Adadelta`: the paper's update times a rate.

    $u_t = g_t \sqrt{d_{t-1} + \varepsilon} / \sqrt{s_t + \varepsilon}$ and
    $x \leftarrow x - \alpha u_t$, where $s$ and $d$ are the moving averages of $g^2$ and $u^2$, and
    $\alpha$ is the learning rate. The paper has $\alpha = 1$.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule `count -> learning rate`.
        rho: $\rho$, the decay of both averages, in `[0, 1]`.
        epsilon: $\varepsilon \ge 0$, inside both square roots.
        weight_decay: $\lambda \ge 0$, decoupled from the gradient; unless None, `update` needs
            `params`.
        clipnorm: largest norm of the gradient of each leaf, at least 0. At most one of `clipnorm`,
            `clipvalue` and `global_clipnorm` may be given; None and 0 do not clip.
        clipvalue: largest absolute value of each coordinate of the gradient, at least 0.
        global_clipnorm: largest norm of the gradients of all leaves together, at least 0.
        use_ema: whether to keep an exponential moving average of the parameters in the state, see
            `presets.keras`; `update` then needs `params`.
        ema_momentum: decay of that average, in `[0, 1]`.
        ema_overwrite_frequency: number of updates, at least 1, from one replacement of the
            parameters by the average to the next; None for no replacement.

    Raises:
        ValueError: an argument is out of range, or two kinds of clipping are given.
        TypeError: an argument has the wrong type, such as a flag that is not a bool.

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
