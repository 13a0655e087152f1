"""The optimizer `keras.optimizers.AdamW`."""

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
    r"""Computes the updates of `keras.optimizers.AdamW`: `adam` with a weight decay by default.

    $x \leftarrow (1 - \alpha_t \lambda) x - \alpha_t u_t$, where $-\alpha_t u_t$ is the update of
    `adam` without weight decay.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule `count -> learning rate`.
        weight_decay: $\lambda \ge 0$, decoupled from the gradient; unless None, `update` needs
            `params`.
        beta_1: $\beta_1$, the decay of the first moment, in `[0, 1)`.
        beta_2: $\beta_2$, the decay of the second moment, in `[0, 1)`.
        epsilon: $\hat\varepsilon \ge 0$, as in `adam`.
        amsgrad: whether to divide by the square root of the largest second moment so far.
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
