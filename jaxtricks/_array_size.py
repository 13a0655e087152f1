"""A limit for the size of arrays, because a larger array would end the process without an error."""

import math
from collections.abc import Sequence

MAX_ENTRIES = 2**40  # entries: 4 terabytes of float32


def check_array_size(name: str, value: object, shape: Sequence[int]) -> None:
    """Checks the shape of an array before the array is made.

    Args:
        name: name of the argument that determines the size, for the message.
        value: value of that argument.
        shape: the shape of the array.

    Raises:
        ValueError: the array would have more than `2**40` entries.

    Example:
        >>> check_array_size("size", 2**21, (2**21, 2**21))
        Traceback (most recent call last):
        ValueError: size must give an array of at most 1099511627776 entries, got 2097152.
    """
    if math.prod(shape) > MAX_ENTRIES:
        raise ValueError(
            f"{name} must give an array of at most {MAX_ENTRIES} entries, got {value}."
        )
