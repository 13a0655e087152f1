"""The strength of a penalty for the mean and for the sum of the losses of the examples."""

from jaxtricks._checks import check_integer, check_range
from jaxtricks._types import ScalarLike


def strength_for_mean(strength: ScalarLike, examples: int) -> ScalarLike:
    r"""Converts the strength of a penalty from a sum to a mean of losses: $\lambda / N$.

    With the losses $L_i$ and the penalty $R$, the sum $\sum_i L_i + \lambda R$ is $N$ times the
    mean $\frac1N \sum_i L_i + \frac\lambda N R$, so both have the same minimum. The gradient of the
    mean is $N$ times smaller; plain gradient descent takes the same steps if its learning rate is
    $N$ times as large.

    Args:
        strength: $\lambda \ge 0$, the strength of a penalty added to the sum of the losses; it may
            be traced.
        examples: $N \ge 1$, the number of losses in the sum: the size of the data set or the batch.

    Raises:
        ValueError: `strength` is negative or not finite, or `examples` is under 1.
        TypeError: `examples` is not an integer.

    Example:
        >>> strength_for_mean(5.0, 1000), strength_for_sum(0.005, 1000)
        (0.005, 5.0)
    """
    _check(strength, examples)
    return strength / examples


def strength_for_sum(strength: ScalarLike, examples: int) -> ScalarLike:
    r"""Converts the strength of a penalty from a mean to a sum of losses: $\lambda N$.

    It is the inverse of `strength_for_mean`.

    Args:
        strength: $\lambda \ge 0$, the strength of a penalty added to the mean of the losses; it may
            be traced.
        examples: $N \ge 1$, the number of losses in the mean: the size of the data set or batch.

    Raises:
        ValueError: `strength` is negative or not finite, or `examples` is under 1.
        TypeError: `examples` is not an integer.

    Example:
        >>> strength_for_sum(0.001, 500)
        0.5
    """
    _check(strength, examples)
    return strength * examples


def _check(strength: ScalarLike, examples: int) -> None:
    check_range("strength", strength, low=0.0)
    check_integer("examples", examples, low=1)
