"""`keras.optimizers.RMSprop`."""

import optax

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.optimizers import gradient_descent, scale_by_rmsprop
from jaxtricks.presets.keras._shrink import shrunk
from jaxtricks.presets.keras._velocity import velocity
from jaxtricks.schedules import ScalarOrSchedule


def rmsprop(
    learning_rate: ScalarOrSchedule = 0.001,
    rho: ScalarLike = 0.9,
    momentum: ScalarLike = 0.0,
    epsilon: ScalarLike = 1e-7,
    centered: bool = False,
    weight_decay: ScalarLike | None = None,
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

    Raises:
        ValueError: an argument is out of range.

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
    return shrunk(links, learning_rate, weight_decay)
