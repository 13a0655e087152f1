"""What a schedule is, and a hyper-parameter that may be one."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from typing_extensions import TypeAliasType

from jaxtricks._checks import check_range, check_scalar
from jaxtricks._types import ArrayLike, ScalarLike

Schedule = TypeAliasType("Schedule", Callable[[ArrayLike], ArrayLike])
ScalarOrSchedule = TypeAliasType("ScalarOrSchedule", ScalarLike | Schedule)


def value_at(hyper_parameter: ScalarOrSchedule, count: ScalarLike) -> ScalarLike:
    """Gives the value at update `count`: the schedule's there, or the constant itself.

    Raises:
        TypeError: the count, the constant or what the schedule gives is no real scalar.

    Example:
        >>> value_at(0.1, 7), value_at(lambda count: count / 10, 7)
        (0.1, 0.7)
    """
    check_scalar("count", count)
    if not callable(hyper_parameter):
        if isinstance(hyper_parameter, jax.Array):  # its value would have to come from the device
            check_scalar("hyper_parameter", hyper_parameter)
        else:
            check_range("hyper_parameter", hyper_parameter)
        return hyper_parameter
    value = hyper_parameter(count)
    check_scalar("the value of a schedule", value)
    if jnp.ndim(value):  # a traced one has a shape too
        raise TypeError(f"the value of a schedule must be a scalar, got shape {jnp.shape(value)}.")
    return value
