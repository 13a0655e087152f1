"""The optimizer `keras.optimizers.Adam`."""

import optax

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.optimizers import gradient_descent, scale_by_adam
from jaxtricks.presets.keras._optimizer import optimizer
from jaxtricks.schedules import ScalarOrSchedule


def adam(
    learning_rate: ScalarOrSchedule = 0.001,
    beta_1: ScalarLike = 0.9,
    beta_2: ScalarLike = 0.999,
    epsilon: ScalarLike = 1e-7,
    amsgrad: bool = False,
    weight_decay: ScalarLike | None = None,
    clipnorm: ScalarLike | None = None,
    clipvalue: ScalarLike | None = None,
    global_clipnorm: ScalarLike | None = None,
    use_ema: bool = False,
    ema_momentum: ScalarLike = 0.99,
    ema_overwrite_frequency: int | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Computes the updates of `keras.optimizers.Adam`, with the paper's $\hat\varepsilon$.

    $x \leftarrow x - \alpha \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} m_t / (\sqrt{v_t} +
    \hat\varepsilon)$ with the moving averages $m_t$ of $g$ and $v_t$ of $g^2$, where $t$ counts
    from 1. Unlike in PyTorch, $\hat\varepsilon$ is added to the square root before its bias
    correction. In the first step, with the default $\beta_2$, $\hat\varepsilon$ therefore has the
    effect of an $\varepsilon$ in PyTorch that is 31.6 times as large.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule `count -> learning rate`.
        beta_1: $\beta_1$, the decay of the first moment, in `[0, 1)`.
        beta_2: $\beta_2$, the decay of the second moment, in `[0, 1)`.
        epsilon: $\hat\varepsilon \ge 0$.
        amsgrad: whether to divide by the square root of the largest $v$ so far.
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
        >>> tx = adam(1.0, epsilon=1e-3)
        >>> step, _ = tx.update(jnp.array([20.0, -0.03]), tx.init(jnp.zeros(2)))
        >>> [round(float(x), 2) for x in step]
        [-1.0, 0.49]

    References:
        [Keras's `Adam`](https://keras.io/api/optimizers/adam/); Kingma and Ba,
        [Adam](https://arxiv.org/abs/1412.6980), 2015, end of section 2.
    """
    check_range("beta_1", beta_1, low=0.0, below=1.0)
    check_range("beta_2", beta_2, low=0.0, below=1.0)
    check_range("epsilon", epsilon, low=0.0)
    rule = scale_by_adam(beta_1, b2=beta_2, eps=epsilon, eps_hat=True, amsgrad=amsgrad)
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
