"""`keras.optimizers.RMSprop`."""

import optax

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.optimizers import gradient_descent, scale_by_rmsprop
from jaxtricks.presets.keras._optimizer import optimizer
from jaxtricks.presets.keras._velocity import velocity
from jaxtricks.schedules import ScalarOrSchedule


def rmsprop(
    learning_rate: ScalarOrSchedule = 0.001,
    rho: ScalarLike = 0.9,
    momentum: ScalarLike = 0.0,
    epsilon: ScalarLike = 1e-7,
    centered: bool = False,
    weight_decay: ScalarLike | None = None,
    clipnorm: ScalarLike | None = None,
    clipvalue: ScalarLike | None = None,
    global_clipnorm: ScalarLike | None = None,
    use_ema: bool = False,
    ema_momentum: ScalarLike = 0.99,
    ema_overwrite_frequency: int | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""`keras.optimizers.RMSprop`: $\varepsilon$ inside the root, the rate inside the velocity.

    $r_t = \rho r_{t-1} + (1 - \rho) g_t^2$,
    $v \leftarrow \mu v + \alpha g_t / \sqrt{r_t + \varepsilon}$, $x \leftarrow x - v$. With
    `centered` the variance $r_t - m_t^2$ stands under the root.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule.
        rho: $\rho$, in `[0, 1]`.
        momentum: $\mu$, in `[0, 1]`.
        epsilon: $\varepsilon \ge 0$; acts like its own root outside.
        centered: whether to subtract the square of the mean.
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
        >>> tx = rmsprop(0.01)
        >>> step, _ = tx.update(jnp.array([20.0, 1e-4]), tx.init(jnp.zeros(2)))
        >>> [round(float(x), 4) for x in step]
        [-0.0316, -0.0031]

    References:
        [Keras's `RMSprop`](https://keras.io/api/optimizers/rmsprop/); Tieleman and Hinton, Lecture
        6.5, Coursera, 2012.
    """
    check_range("rho", rho, low=0.0, high=1.0)
    check_range("epsilon", epsilon, low=0.0)
    rule = scale_by_rmsprop(
        rho, eps=epsilon, eps_inside=True, centered=centered, keep_gradient=centered
    )
    links = (rule, gradient_descent(learning_rate), *velocity(momentum))
    return optimizer(
        links,
        learning_rate,
        weight_decay,
        clipnorm=clipnorm,
        clipvalue=clipvalue,
        global_clipnorm=global_clipnorm,
        use_ema=use_ema,
        ema_momentum=ema_momentum,
        ema_overwrite_frequency=ema_overwrite_frequency,
    )
