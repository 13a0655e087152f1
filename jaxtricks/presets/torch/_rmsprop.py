"""`torch.optim.RMSprop`."""

import optax

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.optimizers import scale_by_momentum, scale_by_rmsprop
from jaxtricks.presets.torch._penalized import left_out, penalized
from jaxtricks.schedules import ScalarOrSchedule


def rmsprop(
    lr: ScalarOrSchedule = 1e-2,
    alpha: ScalarLike = 0.99,
    eps: ScalarLike = 1e-8,
    weight_decay: ScalarLike = 0,
    momentum: ScalarLike = 0,
    centered: bool = False,
    *,
    maximize: bool = False,
) -> optax.GradientTransformationExtraArgs:
    r"""`torch.optim.RMSprop`: $\varepsilon$ outside the root, the rate outside the velocity.

    $g \leftarrow g + \lambda x$, $r_t = \beta r_{t-1} + (1 - \beta) g_t^2$,
    $v_t = \mu v_{t-1} + g_t / (\sqrt{r_t} + \varepsilon)$, $x \leftarrow x - \alpha v_t$. With
    `centered` the variance $r_t - m_t^2$ stands under the root.

    Args:
        lr: $\alpha \ge 0$, a number or a schedule.
        alpha: $\beta$, in `[0, 1]`; the decay of the averages, not the rate.
        eps: $\varepsilon \ge 0$.
        weight_decay: $\lambda \ge 0$; above 0, `update` needs `params`.
        momentum: $\mu$, in `[0, 1]`.
        centered: whether to subtract the square of the mean.
        maximize: whether to climb.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> import jax.numpy as jnp
        >>> tx = rmsprop(0.01)
        >>> step, _ = tx.update(jnp.array([20.0, -1.0]), tx.init(jnp.zeros(2)))
        >>> [round(float(x), 4) for x in step]  # 10 rates: 1 / sqrt(1 - 0.99)
        [-0.1, 0.1]

    References:
        PyTorch's
        [`RMSprop`](https://docs.pytorch.org/docs/stable/generated/torch.optim.RMSprop.html);
        Tieleman and Hinton, Lecture 6.5, Coursera, 2012.
    """
    check_range("alpha", alpha, low=0.0, high=1.0)
    check_range("eps", eps, low=0.0)
    check_range("momentum", momentum, low=0.0, high=1.0)
    velocity = () if left_out(momentum) else (scale_by_momentum(momentum),)
    rule = (scale_by_rmsprop(alpha, eps=eps, centered=centered, keep_gradient=centered), *velocity)
    return penalized(rule, lr, weight_decay=weight_decay, maximize=maximize)
