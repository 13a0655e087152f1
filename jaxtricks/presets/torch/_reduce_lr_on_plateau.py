"""The schedule `torch.optim.lr_scheduler.ReduceLROnPlateau`."""

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
    r"""Returns PyTorch's `ReduceLROnPlateau` as a control rule that gives the learning rate.

    A control rule is a pair of functions, `init()` and `update(metric, state)`; `update` returns
    the learning rate and the next state (see `jaxtricks.control.ControlRule`).

    With `mode="min"` a metric is bad unless it is below $b (1 - \theta)$ (`"rel"`) or $b - \theta$
    (`"abs"`), where $b$ is the best metric so far. With `mode="max"` it is bad unless it is above
    $b (1 + \theta)$ or $b + \theta$. After `patience` + 1 bad metrics in a row the learning rate is
    multiplied by `factor`. As in PyTorch, `"rel"` is not adapted to a negative $b$, where a
    slightly worse metric can count as an improvement: with `mode="min"`, -1.0 after -1.00005 does.
    `jaxtricks.control.plateau` is by default correct for both signs. Infinities are compared as
    numbers, and NaN is bad.

    Args:
        initial_rate: the `lr` of the optimizer, at least 0.
        mode: `"min"` if a good metric is small, `"max"` if it is large.
        factor: number by which the learning rate is multiplied, in `[0, 1)`. To divide by 10 pass
            0.1; 10 raises an error, as in PyTorch.
        patience: number of consecutive bad metrics tolerated, at least 0.
        threshold: $\theta \ge 0$.
        threshold_mode: whether `threshold` is relative to $b$ (`"rel"`) or absolute (`"abs"`).
        cooldown: number of metrics after a reduction that do not count as bad, at least 0.
        min_lr: the lowest learning rate, at least 0.
        eps: a reduction by `eps` or less is not made; at least 0.

    Raises:
        ValueError: an argument is out of range, or `mode` or `threshold_mode` is unknown.
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
