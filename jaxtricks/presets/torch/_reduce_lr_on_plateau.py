"""`torch.optim.lr_scheduler.ReduceLROnPlateau`."""

from typing import Literal

from jaxtyping import Array, Int

from jaxtricks._checks import check_choice, check_integer, check_range
from jaxtricks._types import ScalarLike
from jaxtricks.control import ControlRule, plateau


def reduce_lr_on_plateau(
    initial_rate: ScalarLike,
    mode: Literal["min", "max"] = "min",
    factor: ScalarLike = 0.1,
    patience: int | Int[Array, ""] = 10,
    threshold: ScalarLike = 1e-4,
    threshold_mode: Literal["rel", "abs"] = "rel",
    cooldown: int | Int[Array, ""] = 0,
    min_lr: ScalarLike = 0,
    eps: ScalarLike = 1e-8,
) -> ControlRule:
    r"""`ReduceLROnPlateau`: a control rule whose output is the rate after each metric.

    A metric is bad unless it is below $b (1 - \theta)$ ("rel") or $b - \theta$ ("abs"), $b$ the
    best so far. The bad metric number `patience` + 1 in a row cuts the rate to `factor` of itself.
    "rel" is PyTorch's formula also for a negative $b$, where it takes a slightly worse metric for
    an improvement: -1.0 after -1.00005 is one. Infinities are compared as numbers, and NaN is bad.
    `jaxtricks.control.plateau` has a sign-safe default.

    Args:
        initial_rate: the optimizer's `lr`.
        mode: whether a metric should fall or rise.
        factor: in `[0, 1)`, the share of the rate that is left; "divide by 10" is 0.1, and 10 is
            refused, as in PyTorch.
        patience: how many bad metrics in a row are tolerated, at least 0.
        threshold: $\theta \ge 0$.
        threshold_mode: what `threshold` is relative to.
        cooldown: for how many metrics after a cut none counts as bad, at least 0.
        min_lr: the rate does not go below.
        eps: a cut of `eps` or less is not made.

    Raises:
        ValueError: an argument is out of range.
        TypeError: `patience` or `cooldown` is not an integer.

    Example:
        >>> rule = reduce_lr_on_plateau(0.1, patience=1)
        >>> state = rule.init()
        >>> for loss in (1.0, 0.5, 0.5, 0.5, 0.4):
        ...     rate, state = rule.update(loss, state)
        ...     print(round(float(rate), 3))
        0.1
        0.1
        0.1
        0.01
        0.01

    References:
        PyTorch's
        [`ReduceLROnPlateau`](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html).
    """
    check_range("initial_rate", initial_rate, low=0.0)
    check_choice("mode", mode, ("min", "max"))
    check_range("factor", factor, low=0.0, below=1.0)
    check_integer("patience", patience, low=0)
    check_range("threshold", threshold, low=0.0)
    check_choice("threshold_mode", threshold_mode, ("rel", "abs"))
    check_integer("cooldown", cooldown, low=0)
    check_range("min_lr", min_lr, low=0.0)
    check_range("eps", eps, low=0.0)
    return plateau(
        factor,
        patience=patience,
        initial=initial_rate,
        min_value=min_lr,
        eps=eps,
        mode=mode,
        threshold=threshold,
        threshold_mode=threshold_mode,
        cooldown=cooldown,
        finite_only=False,
    )
