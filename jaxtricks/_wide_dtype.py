"""The dtype, float32 or wider, in which narrow numbers are computed."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxtricks._types import DTypeLike


def wide_dtype(dtype: DTypeLike) -> np.dtype:
    """Returns `dtype` promoted with float32: float32 or a wider dtype.

    It also works under strict dtype promotion, where `jax.numpy.promote_types` raises an error for
    two different dtypes.

    Example:
        >>> wide_dtype(jnp.bfloat16), wide_dtype(jnp.int8), wide_dtype(jnp.complex64)
        (dtype('float32'), dtype('float32'), dtype('complex64'))
    """
    with jax.numpy_dtype_promotion("standard"):
        return jnp.promote_types(dtype, jnp.float32)
