"""`torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`."""

from jaxtricks._check_static import check_static_integer
from jaxtricks._checks import check_integer, check_range
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule, cosine_restarts


def cosine_annealing_warm_restarts(
    initial_rate: ScalarLike, T_0: int, T_mult: int = 1, eta_min: ScalarLike = 0.0
) -> Schedule:
    r"""`CosineAnnealingWarmRestarts`: half a cosine wave, and a jump back to the start.

    $\alpha = \eta_{\min} + \frac12 (\alpha_0 - \eta_{\min}) (1 + \cos(\pi T_{cur} / T_i))$ in
    cycles of $T_i = T_0 T_{mult}^i$.

    Args:
        initial_rate: $\alpha_0 \ge 0$, the optimizer's `lr`.
        T_0: the first cycle's length, at least 1.
        T_mult: how many times longer each cycle is than the last, an integer of at least 1.
        eta_min: $\eta_{\min} \ge 0$.

    Raises:
        ValueError: an argument is out of range.
        TypeError: `T_0` or `T_mult` is not an integer, or `T_mult` is traced.

    Example:
        >>> rate = cosine_annealing_warm_restarts(1.0, T_0=2, T_mult=2)
        >>> [round(float(rate(epoch)), 3) for epoch in range(7)]
        [1.0, 0.5, 1.0, 0.854, 0.5, 0.146, 1.0]

    References:
        PyTorch's
        [`CosineAnnealingWarmRestarts`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.html);
        Loshchilov and Hutter, [SGDR](https://arxiv.org/abs/1608.03983), 2017.
    """
    check_range("initial_rate", initial_rate, low=0.0)
    check_integer("T_0", T_0, low=1)
    check_static_integer("T_mult", T_mult, low=1)
    check_range("eta_min", eta_min, low=0.0)
    return cosine_restarts(initial_rate, T_0, multiplier=T_mult, final=eta_min)
