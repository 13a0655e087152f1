"""`torch.optim.Adam`."""

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
    r"""`torch.optim.Adam`: both moments corrected, $\varepsilon$ outside the corrected root.

    $g \leftarrow g + \lambda x$,
    $x \leftarrow x - \alpha \hat m_t / (\sqrt{\hat v_t} + \varepsilon)$. The decay goes
    through the moments, which divide it away: `adamw` keeps it out.

    Args:
        lr: $\alpha \ge 0$, a number or a schedule.
        betas: the decays of the two moments, each in `[0, 1)`.
        eps: $\varepsilon \ge 0$.
        weight_decay: $\lambda \ge 0$; above 0, `update` needs `params`.
        amsgrad: whether to divide by the root of the largest $v$ so far, corrected afterwards.
        maximize: whether to climb; the weights decay all the same.
        decoupled_weight_decay: whether to leave the moments alone and shrink the weights by
            $\alpha_t \lambda$ of themselves, which is `adamw`.

    Raises:
        ValueError: an argument is out of range.
        TypeError: a flag is not a bool.

    Example:
        >>> import jax.numpy as jnp
        >>> tx = adam(0.1, weight_decay=0.5)
        >>> params = jnp.array([2.0, -2e-3])
        >>> step, _ = tx.update(jnp.zeros(2), tx.init(params), params)
        >>> [round(float(x), 3) for x in step]  # the size of the weight is lost
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
