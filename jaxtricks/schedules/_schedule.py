"""The type of a schedule, and the value of a hyper-parameter that may be a schedule."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from typing_extensions import TypeAliasType

from jaxtricks._checks import check_range, check_scalar
from jaxtricks._types import ArrayLike, ScalarLike

Schedule = TypeAliasType("Schedule", Callable[[ArrayLike], ArrayLike])
ScalarOrSchedule = TypeAliasType("ScalarOrSchedule", ScalarLike | Schedule)


def value_at(hyper_parameter: ScalarOrSchedule, count: ScalarLike) -> ScalarLike:
    """Returns a hyper-parameter's value at update `count`, whether it is a number or a schedule.

    Args:
        hyper_parameter: a real scalar, or a function from the count to one.
        count: number of the update, counted from 0.

    Raises:
        TypeError: the count, the number or the value of the schedule is not a real scalar.
        ValueError: the count or the number is not finite. The values of JAX arrays are not checked,
            because reading one would wait for the device.

    Example:
        >>> value_at(0.1, 7), value_at(lambda count: count / 10, 7)
        (0.1, 0.7)
    """
    _check_number("count", count)
    if not callable(hyper_parameter):
        _check_number("hyper_parameter", hyper_parameter)
        return hyper_parameter
    value = hyper_parameter(count)
    check_scalar("the value of a schedule", value)
    if jnp.ndim(value):  # a traced value has a shape too
        raise TypeError(
            f"the value of a schedule must be a scalar, got the shape {jnp.shape(value)}."
        )
    return value


def _check_number(name: str, value: object) -> None:
    """Checks a finite number. A JAX array is not read, because that would wait for the device.

    Raises:
        TypeError: `value` is not a real scalar.
        ValueError: `value` is not finite.
    """
    check = check_scalar if isinstance(value, jax.Array) else check_range
    check(name, value)
