"""Integers that shape the program and so cannot be traced."""

import jax

from jaxtricks._checks import check_integer


def check_static_integer(name: str, value: object, *, low: int) -> None:
    """Checks an integer of at least `low` that is known when the program is traced.

    Raises:
        TypeError: not an integer, or a traced one.
        ValueError: smaller than `low`.

    Example:
        >>> jax.jit(lambda n: check_static_integer("multiplier", n, low=1))(2)
        Traceback (most recent call last):
        TypeError: multiplier must not be traced: make it a static argument of jit.
    """
    if isinstance(value, jax.core.Tracer):
        raise TypeError(f"{name} must not be traced: make it a static argument of jit.")
    check_integer(name, value, low=low)
