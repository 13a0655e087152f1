"""A check of increasing integers, such as the boundaries of a schedule."""

import itertools
from collections.abc import Sequence

import jax

from jaxtricks._checks import check_instance, check_integer


def check_increasing(name: str, values: Sequence[int], *, low: int, empty: bool = False) -> None:
    """Checks a sequence of increasing integers, each at least `low`; traced values are not checked.

    The sequence may be empty only if `empty` is True.

    Raises:
        TypeError: `values` is not a sequence, or one of its values is not an integer.
        ValueError: `values` is empty or not increasing, or a value is out of range, as in
            `check_integer`.

    Example:
        >>> check_increasing("boundaries", (30, 60), low=1)
        >>> check_increasing("boundaries", (60, 30), low=1)
        Traceback (most recent call last):
        ValueError: boundaries must be increasing and not empty, got (60, 30).
    """
    check_instance(name, values, Sequence)
    for index, value in enumerate(values):
        check_integer(f"{name}[{index}]", value, low=low)
    concrete = [value for value in values if not isinstance(value, jax.core.Tracer)]
    if not (values or empty) or any(a >= b for a, b in itertools.pairwise(concrete)):
        kind = "increasing" if empty else "increasing and not empty"
        raise ValueError(f"{name} must be {kind}, got {values}.")
