"""`keras.optimizers.AdamW`."""

import optax

from jaxtricks._types import ScalarLike
from jaxtricks.presets.keras._adam import adam
from jaxtricks.schedules import ScalarOrSchedule


def adamw(
    learning_rate: ScalarOrSchedule = 0.001,
    weight_decay: ScalarLike | None = 0.004,
    beta_1: ScalarLike = 0.9,
    beta_2: ScalarLike = 0.999,
    epsilon: ScalarLike = 1e-7,
    amsgrad: bool = False,
    clipnorm: ScalarLike | None = None,
    clipvalue: ScalarLike | None = None,
    global_clipnorm: ScalarLike | None = None,
    use_ema: bool = False,
    ema_momentum: ScalarLike = 0.99,
    ema_overwrite_frequency: int | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""`keras.optimizers.AdamW`: `adam` with another default decay, as in Keras.

    $x \leftarrow (1 - \alpha_t \lambda) x - \alpha_t\, \mathrm{adam}(g)$.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule.
        weight_decay: $\lambda \ge 0$; `update` needs `params`.
        beta_1: see `adam`, like all that follow.
        beta_2: decay of the second moment.
        epsilon: $\hat\varepsilon$.
        amsgrad: whether to divide by the root of the largest second moment so far.
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
        >>> tx = adamw(0.1, 0.5)
        >>> params = jnp.array([2.0, -2e-3])
        >>> step, _ = tx.update(jnp.zeros(2), tx.init(params), params)
        >>> [round(float(x), 5) for x in step]
        [-0.1, 0.0001]

    References:
        [Keras's `AdamW`](https://keras.io/api/optimizers/adamw/); Loshchilov and Hutter, [Decoupled
        Weight Decay Regularization](https://arxiv.org/abs/1711.05101), 2019.
    """
    return adam(
        learning_rate,
        beta_1,
        beta_2,
        epsilon,
        amsgrad,
        weight_decay,
        clipnorm=clipnorm,
        clipvalue=clipvalue,
        global_clipnorm=global_clipnorm,
        use_ema=use_ema,
        ema_momentum=ema_momentum,
        ema_overwrite_frequency=ema_overwrite_frequency,
    )
