"""The optimizer `keras.optimizers.RMSprop`."""

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
    r"""Computes the updates of `keras.optimizers.RMSprop`, with $\varepsilon$ inside the root.

    $r_t = \rho r_{t-1} + (1 - \rho) g_t^2$,
    $v \leftarrow \mu v + \alpha g_t / \sqrt{r_t + \varepsilon}$ and $x \leftarrow x - v$. The
    learning rate is part of the velocity $v$. With `centered`, the variance $r_t - m_t^2$ takes the
    place of $r_t$ under the root, where $m_t$ is the moving average of the gradients.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule `count -> learning rate`.
        rho: $\rho$, the decay of the averages, in `[0, 1]`.
        momentum: $\mu$, in `[0, 1]`; a Python 0 leaves the velocity out.
        epsilon: $\varepsilon \ge 0$, inside the root; acts like $\sqrt\varepsilon$ outside of it.
        centered: whether to subtract $m_t^2$.
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
