"""One strength of a penalty, beside the mean of the examples' losses or beside their sum."""

from jaxtricks._checks import check_integer, check_range
from jaxtricks._types import ScalarLike


def strength_for_mean(strength: ScalarLike, examples: int) -> ScalarLike:
    r"""Returns $\lambda / N$: beside the mean of the losses what $\lambda$ is beside their sum.

    $\sum_i L_i + \lambda R$ is $N$ times $\frac1N \sum_i L_i + \frac\lambda N R$, so both have the
    same minimum. The gradient of the second is $N$ times smaller, so that plain gradient descent
    takes the same steps at a rate $N$ times as large.

    Args:
        strength: $\lambda \ge 0$, beside the sum; it may be traced.
        examples: $N \ge 1$, how many losses are added up: of the data set, or of a batch.

    Raises:
        ValueError: `strength` is negative or not finite, or `examples` is below 1.
        TypeError: `examples` is not an integer.

    Example:
        >>> strength_for_mean(5.0, 1000), strength_for_sum(0.005, 1000)
        (0.005, 5.0)
    """
    _check(strength, examples)
    return strength / examples


def strength_for_sum(strength: ScalarLike, examples: int) -> ScalarLike:
    r"""Returns $\lambda N$: beside the sum of the losses what $\lambda$ is beside their mean.

    The inverse of `strength_for_mean`.

    Args:
        strength: $\lambda \ge 0$, beside the mean; it may be traced.
        examples: $N \ge 1$, how many losses are added up.

    Raises:
        ValueError: `strength` is negative or not finite, or `examples` is below 1.
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
