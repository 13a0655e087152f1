"""Masks of which several entries share one random draw."""

import operator
from collections.abc import Sequence

from jaxtricks._checks import shown


def check_mask_axes(axes: object) -> None:
    """Checks that `mask_axes` is None or a sequence of different integers.

    Raises:
        TypeError: `axes` is neither None nor a sequence of integers.
        ValueError: `axes` names an axis twice.
    """
    if axes is None:
        return
    listed = isinstance(axes, Sequence) and not isinstance(axes, str)
    if not listed or not all(_is_integer(axis) for axis in axes):
        raise TypeError(f"mask_axes must be None or a sequence of integers, got {shown(axes)}.")
    if len(set(axes)) != len(axes):
        raise ValueError(f"mask_axes must name each axis once, got {shown(axes)}.")


def mask_shape(axes: Sequence[int] | None, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the shape of a mask that varies along `axes` and has size 1 along the other axes.

    Raises:
        ValueError: `axes` names an axis that the input does not have, or names one twice.

    Example:
        >>> mask_shape((0, -1), (8, 32, 32, 3)), mask_shape(None, (8, 5))
        ((8, 1, 1, 3), (8, 5))
    """
    if axes is None:
        return shape
    if not all(-len(shape) <= axis < len(shape) for axis in axes):
        raise ValueError(
            f"mask_axes must name axes of the input, which has {len(shape)}, got {tuple(axes)}."
        )
    own = [axis % len(shape) for axis in axes]
    if len(set(own)) != len(own):
        raise ValueError(f"mask_axes must name each axis once, got {tuple(axes)}.")
    return tuple(size if axis in own else 1 for axis, size in enumerate(shape))


def _is_integer(value: object) -> bool:
    try:
        operator.index(value)  # pyrefly: ignore[bad-argument-type]
    except TypeError:
        return False
    return not isinstance(value, bool)
