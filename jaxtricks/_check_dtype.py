"""Checking the dtype in which a layer computes."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxtricks._checks import shown


def check_dtype(name: str, value: object) -> None:
    """Checks a floating dtype such as `jax.numpy.bfloat16`; None passes.

    Raises:
        TypeError: it is not a dtype, or not a floating one.

    Example:
        >>> check_dtype("dtype", jnp.bfloat16)
        >>> check_dtype("dtype", jnp.int32)
        Traceback (most recent call last):
        TypeError: dtype must be a floating dtype or None, got int32.
    """
    if value is None:
        return
    try:
        if isinstance(value, jax.Array | np.ndarray):  # they have a dtype, but are none
            raise TypeError
        dtype = np.dtype(value)  # pyrefly: ignore[no-matching-overload]
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a floating dtype or None, got {shown(value)}.") from None
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"{name} must be a floating dtype or None, got {dtype}.")
