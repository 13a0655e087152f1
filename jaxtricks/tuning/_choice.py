"""A hyper-parameter with a list of possible values."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxtricks._check_fits import check_rows_fit
from jaxtricks._checks import check_flag, is_real_number, shown
from jaxtricks.tuning._distribution import Options


def choice(values: Sequence[Any], *, static: bool | None = None) -> Options:
    """Makes a distribution over a list of equally probable values, for a search space.

    Numbers are traced: one compiled program serves all of them. Values that cannot be traced, such
    as the width of a layer, an activation function or the name of an optimizer, are static:
    `search` groups the trials by these values and compiles a program for each group.

    Args:
        values: a tuple or list of at least one value, all different. Static values are compared
            with `==`.
        static: whether the values are static; None means False if all are numbers, and otherwise
            True. Widths, depths and other numbers that determine the shape of an array need True.

    Returns:
        A leaf for a search space.

    Raises:
        ValueError: `values` is empty, two values are equal, one is NaN, a value is not a number
            although `static` is False, or a number does not fit into the dtype in which JAX stores
            it.
        TypeError: `values` is not a tuple or list, a value is an array, `==` of two values is not a
            bool, or `static` is not a bool.

    Example:
        >>> choice((0.8, 0.9, 0.99)).static, choice(("sgd", "adam")).static
        (False, True)
    """
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise TypeError(f"values must be a tuple or a list, got {shown(values)}.")
    if not values:
        raise ValueError("values must hold at least one value, got none.")
    if any(isinstance(value, np.ndarray | jax.Array) and value.ndim for value in values):
        raise TypeError(
            f"values must not be arrays, got {shown(values)}: choose among indices instead, and "
            "select the array in run."
        )
    numbers = all(is_real_number(value) and not np.ndim(value) for value in values)
    if static is not None:
        check_flag("static", static)
        if not static and not numbers:
            raise ValueError(
                f"static must be True for values that are not numbers, got {shown(values)}."
            )
    try:
        equal = any(a is b or a == b for i, a in enumerate(values) for b in values[:i])
    except ValueError:  # a value contains an array
        raise TypeError(
            f"values must be such that == of two of them gives a bool, got {shown(values)}."
        ) from None
    if equal:
        raise ValueError(f"values must all be different, got {shown(values)}.")
    if any(value != value for value in values if is_real_number(value)):
        raise ValueError(f"values must not be NaN, which equals nothing, got {shown(values)}.")
    static = not numbers if static is None else bool(static)
    if not static:
        held = np.asarray(values)
        if held.dtype == object:
            raise ValueError(f"values must fit into int32, got {shown(values)}.")
        check_rows_fit({"values": held})
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    return Options(tuple(plain if static else values), static)
