"""A loss that gives one number."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from jaxtricks._checks import check_function, shown


def scalar(loss: Callable[[Any], Array]) -> Callable[[Any], Array]:
    """Gives the same function, which checks its value when it is called.

    Raises:
        TypeError: `loss` is not a function, or, when called, what it gives is not a scalar.
    """
    check_function("loss", loss)

    def checked(argument: Any) -> Array:
        value = loss(argument)
        if isinstance(value, tuple | list | dict) or jnp.shape(value):
            raise TypeError(f"loss must give a scalar, got {shown(value)}.")
        return value

    return checked
