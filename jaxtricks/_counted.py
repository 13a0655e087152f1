"""Making schedules from formulas for one count."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxtricks._checks import MAX_INT32, is_real_number, shown
from jaxtricks._types import ArrayLike, ScalarLike


def counted(formula: Callable[[Array], ScalarLike]) -> Callable[[ArrayLike], Float[Array, "..."]]:
    """Makes a schedule from a formula for one count, the number of finished updates.

    The schedule checks its argument, which may be an array of counts. The formula receives a
    scalar, which is int32 or float32 whatever the dtype of the count. The schedule returns float32
    in the shape of the count; for an array, it applies the formula to each entry.

    Raises:
        TypeError: when the schedule is called, the count is not a real number or an array of real
            numbers; lists are refused.
        ValueError: when the schedule is called, a count is negative, above the largest int32 or
            NaN. Integer JAX arrays are not checked, because reading one would wait for the device;
            in them, a count above the largest int32 is replaced by the largest int32.

    Example:
        >>> rate = counted(lambda count: 0.5**count)
        >>> rate(2), rate(jnp.bfloat16(0.5)).dtype
        (Array(0.25, dtype=float32), dtype('float32'))
        >>> rate(np.array([[0, 1], [2, 3]])).tolist()
        [[1.0, 0.5], [0.25, 0.125]]
        >>> rate(-1)
        Traceback (most recent call last):
        ValueError: count must be in [0, 2147483647], got -1.
    """

    def single(count: Array) -> Float[Array, ""]:
        return jnp.asarray(formula(count), jnp.float32)

    def schedule(count: ArrayLike) -> Float[Array, "..."]:
        counts = as_counts(count)
        return jnp.vectorize(single)(counts) if counts.ndim else single(counts)

    return schedule


def as_counts(count: ArrayLike) -> Array:
    """Checks a count or an array of counts, and returns them as int32 or float32."""
    if not is_real_number(count):
        raise TypeError(
            f"count must be a real number or an array of real numbers, got {shown(count)}."
        )
    integer = isinstance(count, int) or jnp.issubdtype(jnp.result_type(count), jnp.integer)
    if not isinstance(count, jax.core.Tracer) and not (integer and isinstance(count, jax.Array)):
        values = np.asarray(count if integer else np.asarray(count, np.float64))
        outside = values[~((values >= 0) & (values <= MAX_INT32))]
        if outside.size:
            raise ValueError(f"count must be in [0, {MAX_INT32}], got {outside.flat[0]}.")
    if not integer:
        return jnp.asarray(count, jnp.float32)
    if isinstance(count, jax.Array) and jnp.iinfo(count.dtype).max > MAX_INT32:
        count = jnp.minimum(count, MAX_INT32)
    return jnp.asarray(count, jnp.int32)
