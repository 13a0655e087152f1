"""The optimizer `torch.optim.AdamW`."""

import optax

from jaxtricks._types import ScalarLike
from jaxtricks.presets.torch._adam import adam
from jaxtricks.schedules import ScalarOrSchedule


def adamw(
    lr: ScalarOrSchedule = 1e-3,
    betas: tuple[ScalarLike, ScalarLike] = (0.9, 0.999),
    eps: ScalarLike = 1e-8,
    weight_decay: ScalarLike = 1e-2,
    amsgrad: bool = False,
    *,
    maximize: bool = False,
) -> optax.GradientTransformationExtraArgs:
    r"""Computes the updates of `torch.optim.AdamW`: Adam with decoupled weight decay.

    $x \leftarrow (1 - \alpha_t \lambda) x - \alpha_t \hat m_t / (\sqrt{\hat v_t} + \varepsilon)$.
    The learning rate $\alpha_t$ multiplies the decay too, so a schedule changes both.

    Args:
        lr: learning rate $\alpha \ge 0$, a number or a schedule `count -> learning rate`.
        betas: the decays $(\beta_1, \beta_2)$ of the two moments, each in `[0, 1)`.
        eps: $\varepsilon \ge 0$, outside the square root.
        weight_decay: $\lambda \ge 0$; unless it is a Python 0, `update` needs `params`.
        amsgrad: whether to divide by the square root of the largest $v$ so far; the bias of the
            maximum is corrected.
        maximize: whether to maximize the objective; the weights still decay.

    Raises:
        ValueError: an argument is out of range.
        TypeError: an argument has the wrong type, such as a flag that is not a bool.

    Example:
        >>> import jax.numpy as jnp
        >>> tx = adamw(0.1, weight_decay=0.5)
        >>> params = jnp.array([2.0, -2e-3])
        >>> step, _ = tx.update(jnp.zeros(2), tx.init(params), params)
        >>> [round(float(x), 5) for x in step]  # 5 % of the weight
        [-0.1, 0.0001]

    References:
        PyTorch's [`AdamW`](https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html);
        Loshchilov and Hutter, [Decoupled Weight Decay
        Regularization](https://arxiv.org/abs/1711.05101), 2019.
    """
    return adam(
        lr,
        betas,
        eps,
        weight_decay,
        amsgrad,
        maximize=maximize,
        decoupled_weight_decay=True,
    )
