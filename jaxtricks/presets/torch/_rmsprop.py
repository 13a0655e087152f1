"""The optimizer `torch.optim.RMSprop`."""

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
    r"""Computes the updates of `torch.optim.RMSprop`, with $\varepsilon$ outside the square root.

    $g \leftarrow g + \lambda x$, $r_t = \beta r_{t-1} + (1 - \beta) g_t^2$,
    $v_t = \mu v_{t-1} + g_t / (\sqrt{r_t} + \varepsilon)$ and $x \leftarrow x - \alpha v_t$. The
    learning rate is not part of the velocity $v$. With `centered`, the variance $r_t - m_t^2$ takes
    the place of $r_t$ under the root, where $m_t$ is the moving average of the gradients.

    Args:
        lr: learning rate $\alpha \ge 0$, a number or a schedule `count -> learning rate`.
        alpha: $\beta$, the decay of the averages, in `[0, 1]`; not the learning rate.
        eps: $\varepsilon \ge 0$, outside the square root.
        weight_decay: $\lambda \ge 0$; unless it is a Python 0, `update` needs `params`.
        momentum: $\mu$, in `[0, 1]`; a Python 0 leaves the velocity out.
        centered: whether to subtract $m_t^2$.
        maximize: whether to maximize the objective.

    Raises:
        ValueError: an argument is out of range.
        TypeError: an argument has the wrong type, such as a flag that is not a bool.

    Example:
        >>> import jax.numpy as jnp
        >>> tx = rmsprop(0.01)
        >>> step, _ = tx.update(jnp.array([20.0, -1.0]), tx.init(jnp.zeros(2)))
        >>> [round(float(x), 4) for x in step]  # lr / sqrt(1 - 0.99)
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
