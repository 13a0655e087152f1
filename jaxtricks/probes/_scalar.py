"""A check that the value of a loss function is a scalar."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from jaxtricks._checks import check_function, shown


def scalar(loss: Callable[[Any], Array]) -> Callable[[Any], Array]:
    """Wraps a loss function so that each call checks that the value is a scalar.

    Raises:
        TypeError: `loss` is not a function; when the result is called, the value is not a scalar.
    """
    check_function("loss", loss)

    def checked(argument: Any) -> Array:
        value = loss(argument)
        if isinstance(value, tuple | list | dict) or jnp.shape(value):
            raise TypeError(f"loss must return a scalar, got {shown(value)}.")
        return value

    return checked
