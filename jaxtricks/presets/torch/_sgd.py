"""The optimizer `torch.optim.SGD`."""

import jax.numpy as jnp
import optax

from jaxtricks._checks import check_flag, check_range
from jaxtricks._types import ScalarLike
from jaxtricks.optimizers import scale_by_momentum
from jaxtricks.presets.torch._penalized import left_out, penalized
from jaxtricks.schedules import ScalarOrSchedule


def sgd(
    lr: ScalarOrSchedule = 1e-3,
    momentum: ScalarLike = 0,
    dampening: ScalarLike = 0,
    weight_decay: ScalarLike = 0,
    nesterov: bool = False,
    *,
    maximize: bool = False,
) -> optax.GradientTransformationExtraArgs:
    r"""Computes the updates of `torch.optim.SGD`, whose velocity excludes the learning rate.

    $g \leftarrow g + \lambda x$, $v_t = \mu v_{t-1} + (1 - \tau) g_t$ with $v_1 = g_1$, and
    $x \leftarrow x - \alpha v_t$, or $x \leftarrow x - \alpha (g_t + \mu v_t)$ with `nesterov`. The
    weight decay is added to the gradient of every parameter, including biases.

    Args:
        lr: learning rate $\alpha \ge 0$, a number or a schedule `count -> learning rate`.
        momentum: $\mu$, in `[0, 1]`; with 0 there is neither velocity nor dampening.
        dampening: $\tau$, in `[0, 1]`; the first step is not dampened.
        weight_decay: $\lambda \ge 0$; unless it is a Python 0, `update` needs `params`.
        nesterov: whether to use Nesterov's momentum; `momentum` must be above 0 and `dampening` 0.
        maximize: whether to maximize the objective.

    Raises:
        ValueError: an argument is out of range, or `nesterov` is True without momentum or with
            dampening.
        TypeError: an argument has the wrong type, such as a flag that is not a bool.

    Example:
        >>> tx = sgd(0.1, momentum=0.9, dampening=0.5)
        >>> state = tx.init(jnp.zeros(()))
        >>> for _ in range(3):
        ...     step, state = tx.update(jnp.ones(()), state)
        ...     print(round(float(step), 4))
        -0.1
        -0.14
        -0.176

    References:
        PyTorch's [`SGD`](https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html).
    """
    check_range("momentum", momentum, low=0.0, high=1.0)
    check_range("dampening", dampening, low=0.0, high=1.0)
    check_flag("nesterov", nesterov)
    if nesterov and left_out(momentum):
        raise ValueError(f"momentum must be above 0 if nesterov is True, got {momentum}.")
    rule = ()
    if not left_out(momentum):
        if not isinstance(momentum, int | float):
            dampening = jnp.where(jnp.asarray(momentum) == 0, 0.0, dampening)
        rule = (
            scale_by_momentum(momentum, dampening=dampening, dampen_first=False, nesterov=nesterov),
        )
    return penalized(rule, lr, weight_decay=weight_decay, maximize=maximize)
