"""Checks of arrays, whose errors name the argument. Traced arrays are checked too."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxtricks._check_fits import outside
from jaxtricks._checks import is_real, shown


def check_floating(name: str, value: object) -> None:
    """Checks that `value` is an array of floating numbers, traced or not.

    Raises:
        TypeError: `value` is a list, a Python number, or an array of another dtype.

    Example:
        >>> check_floating("x", jnp.ones(2, jnp.int32))
        Traceback (most recent call last):
        TypeError: x must be a floating array, got Array([1, 1], dtype=int32).
    """
    if not isinstance(value, np.ndarray | jax.Array) or not jnp.issubdtype(
        value.dtype, jnp.floating
    ):
        raise TypeError(f"{name} must be a floating array, got {shown(value)}.")


def check_vector(name: str, value: object, kind: type) -> None:
    """Checks an array with one axis and a dtype of the kind `kind`, such as `jax.numpy.integer`.

    Raises:
        TypeError: `value` is anything else.

    Example:
        >>> check_vector("indices", np.arange(2.0), jnp.integer)
        Traceback (most recent call last):
        TypeError: indices must be a vector of integer numbers, got array([0., 1.]).
    """
    array = isinstance(value, np.ndarray | jax.Array) and value.ndim == 1
    if not array or not jnp.issubdtype(value.dtype, kind):  # pyrefly: ignore[missing-attribute]
        raise TypeError(f"{name} must be a vector of {kind.__name__} numbers, got {shown(value)}.")


def real_array(name: str, value: object) -> jax.Array:
    """Converts an array, a number, or a sequence of numbers to an array of real numbers.

    Raises:
        TypeError: `value` holds anything else, such as bools or random keys.
        ValueError: a number does not fit into the dtype that JAX gives the array.

    Example:
        >>> real_array("weights", (1, 2.5)).tolist()
        [1.0, 2.5]
        >>> real_array("weights", ("1", "2.5"))
        Traceback (most recent call last):
        TypeError: weights must be an array of real numbers, got ('1', '2.5').
        >>> real_array("weights", (2**40, 1))
        Traceback (most recent call last):
        ValueError: weights must hold numbers that fit into int32, got (1099511627776, 1).
    """
    try:
        array = jnp.asarray(value)  # pyrefly: ignore[bad-argument-type]
        fits = outside(value) is None
    except (TypeError, ValueError):
        array, fits = None, True
    except OverflowError:
        array, fits = jnp.zeros([], int), False
    if array is None or isinstance(value, str) or not is_real(array.dtype):
        raise TypeError(f"{name} must be an array of real numbers, got {shown(value)}.")
    if not fits:
        raise ValueError(
            f"{name} must hold numbers that fit into {array.dtype}, got {shown(value)}."
        )
    return array
