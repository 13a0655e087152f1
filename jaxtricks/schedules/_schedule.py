"""What a schedule is, and a hyper-parameter that may be one."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, ScalarLike

from jaxtricks._checks import check_range, check_scalar

Schedule = Callable[[ScalarLike], ScalarLike]
ScalarOrSchedule = ScalarLike | Schedule


def value_at(hyper_parameter: ScalarOrSchedule, count: ScalarLike) -> ScalarLike:
    """Gives the value at update `count`: the schedule's there, or the constant itself.

    Raises:
        TypeError: the schedule gives no real scalar.

    Example:
        >>> value_at(0.1, 7), value_at(lambda count: count / 10, 7)
        (0.1, 0.7)
    """
    if not callable(hyper_parameter):
        return hyper_parameter
    value = hyper_parameter(count)
    check_scalar("the value of a schedule", value)
    if jnp.ndim(value):  # a traced one has a shape too
        raise TypeError(f"the value of a schedule must be a scalar, got shape {jnp.shape(value)}.")
    return value


def counted(formula: Callable[[Array], ScalarLike]) -> Schedule:
    """Makes a schedule of a formula: the count is checked, and the value a float32 scalar.

    The formula sees the count as an array of at least 32 bits, so it may be given in any type.

    Raises:
        TypeError: the count is no real scalar.
        ValueError: it is negative, over the largest int32 or NaN; not looked into if it is a JAX
            array of integers, as an optimizer's step is.

    Example:
        >>> rate = counted(lambda count: 0.5**count)
        >>> rate(2), rate(jnp.bfloat16(0.5)).dtype
        (Array(0.25, dtype=float32), dtype('float32'))
        >>> rate(-1)
        Traceback (most recent call last):
        ValueError: count must be in [0.0, 2147483647.0], got -1.
    """

    def schedule(count: ScalarLike) -> Float[Array, ""]:
        check_scalar("count", count)
        whole = jnp.issubdtype(jnp.result_type(count), jnp.integer)
        if not (whole and isinstance(count, jax.Array)):  # reading a step waits for the device
            check_range("count", count, low=0.0, high=2.0**31 - 1)
        dtype = jnp.result_type(count, jnp.int32 if whole else jnp.float32)
        return jnp.asarray(formula(jnp.asarray(count, dtype)), jnp.float32)

    return schedule
