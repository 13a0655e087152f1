"""The schedule `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`."""

from jaxtricks._check_static import check_static_integer
from jaxtricks._checks import check_integer, check_range
from jaxtricks._types import ScalarLike
from jaxtricks.schedules import Schedule, cosine_restarts


def cosine_annealing_warm_restarts(
    initial_rate: ScalarLike, T_0: int, T_mult: int = 1, eta_min: ScalarLike = 0.0
) -> Schedule:
    r"""Returns PyTorch's `CosineAnnealingWarmRestarts`: half a cosine wave in each cycle.

    $\alpha = \eta_{\min} + \frac12 (\alpha_0 - \eta_{\min}) (1 + \cos(\pi T_{cur} / T_i))$, where
    cycle $i$ has $T_i = T_0 T_{mult}^i$ epochs and $T_{cur}$ of them are over. Each cycle begins
    again at $\alpha_0$. If the schedule is the `lr` of an optimizer, it counts updates instead of
    epochs: see `step_lr`.

    Args:
        initial_rate: $\alpha_0 \ge 0$, the `lr` of the optimizer; it may be traced.
        T_0: length of the first cycle in epochs, at least 1.
        T_mult: length of each cycle divided by that of the one before, an integer, at least 1.
        eta_min: $\eta_{\min} \ge 0$, the lowest learning rate.

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
