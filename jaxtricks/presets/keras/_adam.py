"""`keras.optimizers.Adam`."""

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
    r"""`keras.optimizers.Adam`: the paper's $\hat\varepsilon$, added to the *uncorrected* root.

    $x \leftarrow x - \alpha \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} m_t / (\sqrt{v_t} +
    \hat\varepsilon)$: at the first step it weighs 31.6 times as much as PyTorch's.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule.
        beta_1: $\beta_1$, in `[0, 1)`.
        beta_2: $\beta_2$, in `[0, 1)`.
        epsilon: $\hat\varepsilon \ge 0$.
        amsgrad: whether to divide by the root of the largest $v$ so far.
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
