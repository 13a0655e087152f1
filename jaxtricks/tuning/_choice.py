"""A hyper-parameter that is one of some values."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxtricks._check_fits import check_rows_fit
from jaxtricks._checks import check_flag, is_real_number, shown
from jaxtricks.tuning._distribution import Options


def choice(values: Sequence[Any], *, static: bool | None = None) -> Options:
    """One of some values, all equally probable, for a search space.

    Numbers are traced: one program serves them all. What a program cannot be traced over, such as
    the width of a layer, an activation or the name of a rule, is static: `search` groups the
    trials by it and compiles a program for each group.

    Args:
        values: at least one, all different. Static ones are compared by `==`.
        static: whether they are static; None means that they are unless all are numbers. Widths,
            depths and whatever else is the shape of an array need True.

    Raises:
        ValueError: there is no value, two are equal, one is NaN, numbers are demanded and one is
            none, or one does not fit into the dtype in which JAX holds it.
        TypeError: `values` is no tuple or list, one is an array, `==` of two does not give a bool,
            or `static` is not a bool.

    Example:
        >>> choice((0.8, 0.9, 0.99)).static, choice(("sgd", "adam")).static
        (False, True)
    """
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise TypeError(f"values must be a tuple or a list, got {shown(values)}.")
    if not values:
        raise ValueError("values must hold at least one, got none.")
    if any(isinstance(value, np.ndarray | jax.Array) and value.ndim for value in values):
        raise TypeError(f"values must not be arrays, choose among their places: {shown(values)}.")
    numbers = all(is_real_number(value) and not np.ndim(value) for value in values)
    if static is not None:
        check_flag("static", static)
        if not static and not numbers:
            raise ValueError(
                f"static must be True of values that are not numbers: {shown(values)}."
            )
    try:
        equal = any(a is b or a == b for i, a in enumerate(values) for b in values[:i])
    except ValueError:  # arrays inside of them
        raise TypeError(
            f"values must be such that == says whether two are equal, got {shown(values)}."
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
