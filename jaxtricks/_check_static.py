"""Checks of values that fix the shape of a compiled program, so that they cannot be traced."""

import jax

from jaxtricks._checks import check_integer


def check_static(name: str, value: object) -> None:
    """Checks that `value` is not traced.

    Raises:
        TypeError: `value` is traced.
    """
    if isinstance(value, jax.core.Tracer):
        raise TypeError(f"{name} must not be traced: make it a static argument of jit.")


def check_static_integer(name: str, value: object, *, low: int) -> None:
    """Checks an integer of at least `low` that is not traced.

    Raises:
        TypeError: `value` is not an integer, or is traced.
        ValueError: `value` is smaller than `low`.

    Example:
        >>> check_static_integer("multiplier", 2, low=1)
        >>> check_static_integer("multiplier", 0, low=1)
        Traceback (most recent call last):
        ValueError: multiplier must be at least 1, got 0.
    """
    check_static(name, value)
    check_integer(name, value, low=low)
