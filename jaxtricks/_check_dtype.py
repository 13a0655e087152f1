"""A check of the dtype in which a layer computes."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np

from jaxtricks._checks import shown


def check_dtype(name: str, value: object) -> None:
    """Checks that `value` is None or a floating dtype such as `jax.numpy.bfloat16`.

    Raises:
        TypeError: `value` is neither None nor a floating dtype.

    Example:
        >>> check_dtype("dtype", jnp.bfloat16)
        >>> check_dtype("dtype", jnp.int32)
        Traceback (most recent call last):
        TypeError: dtype must be a floating dtype or None, got int32.
    """
    if value is None:
        return
    dtype = None
    if not isinstance(value, jax.Array | np.ndarray):  # arrays have a dtype, but are not dtypes
        with contextlib.suppress(TypeError, ValueError):
            dtype = np.dtype(value)  # pyrefly: ignore[no-matching-overload]
    if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
        got = shown(value) if dtype is None else dtype
        raise TypeError(f"{name} must be a floating dtype or None, got {got}.")
