"""The optimizer `torch.optim.Adadelta`."""

import optax

from jaxtricks._checks import check_range
from jaxtricks._types import ScalarLike
from jaxtricks.optimizers import scale_by_adadelta
from jaxtricks.presets.torch._penalized import penalized
from jaxtricks.schedules import ScalarOrSchedule


def adadelta(
    lr: ScalarOrSchedule = 1.0,
    rho: ScalarLike = 0.9,
    eps: ScalarLike = 1e-6,
    weight_decay: ScalarLike = 0,
    *,
    maximize: bool = False,
) -> optax.GradientTransformationExtraArgs:
    r"""Computes the updates of `torch.optim.Adadelta`: the paper's update times a learning rate.

    $g \leftarrow g + \lambda x$,
    $u_t = g_t \sqrt{d_{t-1} + \varepsilon} / \sqrt{s_t + \varepsilon}$ and
    $x \leftarrow x - \alpha u_t$, where $s$ and $d$ are the moving averages of $g^2$ and $u^2$.

    Args:
        lr: learning rate $\alpha \ge 0$, a number or a schedule `count -> learning rate`.
        rho: $\rho$, the decay of both averages, in `[0, 1]`.
        eps: $\varepsilon \ge 0$, inside both square roots.
        weight_decay: $\lambda \ge 0$; unless it is a Python 0, `update` needs `params`.
        maximize: whether to maximize the objective.

    Raises:
        ValueError: an argument is out of range.
        TypeError: an argument has the wrong type, such as a flag that is not a bool.

    Example:
        >>> import jax.numpy as jnp
        >>> tx = adadelta()
        >>> step, _ = tx.update(jnp.array(20.0), tx.init(jnp.zeros(())))
        >>> round(float(step), 5)
        -0.00316

    References:
        PyTorch's
        [`Adadelta`](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adadelta.html);
        Zeiler, [ADADELTA](https://arxiv.org/abs/1212.5701), 2012.
    """
    check_range("rho", rho, low=0.0, high=1.0)
    check_range("eps", eps, low=0.0)
    rule = scale_by_adadelta(rho, eps=eps)
    return penalized((rule,), lr, weight_decay=weight_decay, maximize=maximize)
