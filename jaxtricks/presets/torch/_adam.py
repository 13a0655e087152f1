"""The optimizer `torch.optim.Adam`."""

import optax

from jaxtricks._checks import check_flag, check_pair, check_range
from jaxtricks._types import ScalarLike
from jaxtricks.optimizers import add_decoupled_decay, scale_by_adam
from jaxtricks.presets.torch._penalized import left_out, penalized
from jaxtricks.schedules import ScalarOrSchedule


def adam(
    lr: ScalarOrSchedule = 1e-3,
    betas: tuple[ScalarLike, ScalarLike] = (0.9, 0.999),
    eps: ScalarLike = 1e-8,
    weight_decay: ScalarLike = 0,
    amsgrad: bool = False,
    *,
    maximize: bool = False,
    decoupled_weight_decay: bool = False,
) -> optax.GradientTransformationExtraArgs:
    r"""Computes the updates of `torch.optim.Adam`, with $\varepsilon$ outside the square root.

    $g \leftarrow g + \lambda x$ and
    $x \leftarrow x - \alpha \hat m_t / (\sqrt{\hat v_t} + \varepsilon)$, with the bias-corrected
    moments $\hat m$ of $g$ and $\hat v$ of $g^2$. The weight decay is part of the gradient, so it
    is divided by $\sqrt{\hat v_t}$ too and is no longer proportional to the weight. In `adamw` the
    decay bypasses the moments.

    Args:
        lr: learning rate $\alpha \ge 0$, a number or a schedule `count -> learning rate`.
        betas: the decays $(\beta_1, \beta_2)$ of the two moments, each in `[0, 1)`.
        eps: $\varepsilon \ge 0$, outside the square root.
        weight_decay: $\lambda \ge 0$; unless it is a Python 0, `update` needs `params`.
        amsgrad: whether to divide by the square root of the largest $v$ so far; the bias of the
            maximum is corrected.
        maximize: whether to maximize the objective; the weights still decay.
        decoupled_weight_decay: whether to reduce the parameters by $\alpha_t \lambda$ times
            themselves instead of adding the decay to the gradient, as in `adamw`.

    Raises:
        ValueError: an argument is out of range.
        TypeError: an argument has the wrong type, such as a flag that is not a bool.

    Example:
        >>> import jax.numpy as jnp
        >>> tx = adam(0.1, weight_decay=0.5)
        >>> params = jnp.array([2.0, -2e-3])
        >>> step, _ = tx.update(jnp.zeros(2), tx.init(params), params)
        >>> [round(float(x), 3) for x in step]  # equal for both sizes of weights
        [-0.1, 0.1]

    References:
        PyTorch's [`Adam`](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html);
        Kingma and Ba, [Adam](https://arxiv.org/abs/1412.6980), 2015.
    """
    check_pair("betas", betas)
    check_range("betas[0]", betas[0], low=0.0, below=1.0)
    check_range("betas[1]", betas[1], low=0.0, below=1.0)
    check_range("eps", eps, low=0.0)
    check_range("weight_decay", weight_decay, low=0.0)
    check_flag("decoupled_weight_decay", decoupled_weight_decay)
    rule = scale_by_adam(betas[0], b2=betas[1], eps=eps, amsgrad=amsgrad)
    if not decoupled_weight_decay:
        return penalized((rule,), lr, weight_decay=weight_decay, maximize=maximize)
    decay = () if left_out(weight_decay) else (add_decoupled_decay(weight_decay),)
    return penalized((rule, *decay), lr, weight_decay=0, maximize=maximize)
