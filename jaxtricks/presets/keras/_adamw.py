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
) -> optax.GradientTransformationExtraArgs:
    r"""`keras.optimizers.AdamW`: `adam` with another default decay, as in Keras.

    $x \leftarrow (1 - \alpha_t \lambda) x - \alpha_t\, \mathrm{adam}(g)$.

    Args:
        learning_rate: $\alpha \ge 0$, a number or a schedule.
        weight_decay: $\lambda \ge 0$; `update` needs `params`.
        beta_1: see `adam`, like all that follow.
        beta_2: decay of the second moment.
        epsilon: $\hat\varepsilon$.

    Raises:
        ValueError: an argument is out of range.

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
    return adam(learning_rate, beta_1, beta_2, epsilon, weight_decay)
