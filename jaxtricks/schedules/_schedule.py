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
        ValueError: the count or the constant is not finite; the values of JAX arrays are not read
            here, which would wait for the device.

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
    if jnp.ndim(value):  # a traced one has a shape too
        raise TypeError(f"the value of a schedule must be a scalar, got shape {jnp.shape(value)}.")
    return value


def _check_number(name: str, value: object) -> None:
    """Checks a finite number; the value of a JAX array, for which it would wait, it does not read.

    Raises:
        TypeError: it is no real scalar.
        ValueError: it is not finite.
    """
    check = check_scalar if isinstance(value, jax.Array) else check_range
    check(name, value)
