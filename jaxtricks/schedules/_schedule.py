"""What a schedule is, and a hyper-parameter that may be one."""

from collections.abc import Callable

from jaxtyping import ScalarLike

Schedule = Callable[[ScalarLike], ScalarLike]
ScalarOrSchedule = ScalarLike | Schedule


def value_at(hyper_parameter: ScalarOrSchedule, count: ScalarLike) -> ScalarLike:
    """Gives the value at update `count`: the schedule's there, or the constant itself.

    Example:
        >>> value_at(0.1, 7), value_at(lambda count: count / 10, 7)
        (0.1, 0.7)
    """
    return hyper_parameter(count) if callable(hyper_parameter) else hyper_parameter
