"""Whether inputs and a kernel go together."""

from jaxtricks._array_checks import check_floating


def check_rows(x: object) -> None:
    """Checks floating inputs `[..., inputs]`.

    Raises:
        TypeError: it is not a floating array.
        ValueError: it has no last axis, or no entries along it.
    """
    check_floating("x", x)
    shape = x.shape  # pyrefly: ignore[missing-attribute]
    if not shape or not shape[-1]:
        raise ValueError(f"x must be [..., inputs], got the shape {shape}.")


def check_images(x: object) -> None:
    """Checks floating images `[batch, height, width, channel]`.

    Raises:
        TypeError: it is not a floating array.
        ValueError: it has not four axes, or no entries along one behind the first.
    """
    check_floating("x", x)
    shape = x.shape  # pyrefly: ignore[missing-attribute]
    if len(shape) != 4 or 0 in shape[1:]:
        raise ValueError(f"x must be [batch, height, width, channel], got the shape {shape}.")


def check_kernel(kernel: object, axes: str, inputs: tuple[int, ...]) -> None:
    """Checks a floating kernel with axes such as `"inputs, features"`, for inputs of this shape.

    Raises:
        TypeError: it is not a floating array.
        ValueError: it has other axes, or no entries, or the last but one is not the inputs' last.

    Example:
        >>> import numpy as np
        >>> check_kernel(np.ones((3, 2)), "inputs, features", (4,))
        Traceback (most recent call last):
        ValueError: kernel must be [inputs, features] for x of the shape (4,), got the shape (3, 2).
    """
    check_floating("kernel", kernel)
    shape = kernel.shape  # pyrefly: ignore[missing-attribute]
    if len(shape) != len(axes.split(",")) or shape[-2] != inputs[-1] or 0 in shape:
        raise ValueError(
            f"kernel must be [{axes}] for x of the shape {inputs}, got the shape {shape}."
        )
