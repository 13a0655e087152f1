"""Schedules made of formulas of the update's number."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxtricks._checks import check_range, check_scalar
from jaxtricks._types import ScalarLike


def counted(formula: Callable[[Array], ScalarLike]) -> Callable[[ScalarLike], Float[Array, ""]]:
    """Makes a schedule of a formula: checks the count and returns a float32 scalar.

    The formula receives the count as an array of at least 32 bits, whatever the count's own dtype.

    Raises:
        TypeError: when the schedule is called, the count is not a real scalar.
        ValueError: when the schedule is called, the count is negative, above the largest int32 or
            NaN. Integer JAX arrays are not checked, because reading one would wait for the device.

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
        integer = jnp.issubdtype(jnp.result_type(count), jnp.integer)
        if not (integer and isinstance(count, jax.Array)):  # reading a step waits for the device
            check_range("count", count, low=0.0, high=2.0**31 - 1)
        dtype = jnp.result_type(count, jnp.int32 if integer else jnp.float32)
        return jnp.asarray(formula(jnp.asarray(count, dtype)), jnp.float32)

    return schedule
