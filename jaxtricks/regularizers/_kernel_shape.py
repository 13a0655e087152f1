"""Checks of the shapes of inputs and kernels."""

from jaxtricks._array_checks import check_floating


def check_rows(x: object) -> None:
    """Checks that `x` is a floating array `[..., inputs]`.

    Raises:
        TypeError: `x` is not a floating array.
        ValueError: `x` has no last axis, or no entries along it.
    """
    check_floating("x", x)
    shape = x.shape  # pyrefly: ignore[missing-attribute]
    if not shape or not shape[-1]:
        raise ValueError(f"x must be [..., inputs], got the shape {shape}.")


def check_images(x: object) -> None:
    """Checks that `x` holds floating images `[batch, height, width, channel]`.

    Raises:
        TypeError: `x` is not a floating array.
        ValueError: `x` does not have four axes, or an axis after the first has size 0.
    """
    check_floating("x", x)
    shape = x.shape  # pyrefly: ignore[missing-attribute]
    if len(shape) != 4 or 0 in shape[1:]:
        raise ValueError(f"x must be [batch, height, width, channel], got the shape {shape}.")


def check_kernel(kernel: object, axes: str, inputs: tuple[int, ...]) -> None:
    """Checks a floating kernel for inputs of the shape `inputs`.

    Args:
        kernel: the kernel.
        axes: the names of its axes, such as `"inputs, features"`.
        inputs: the shape of the inputs, whose last size must be that of the kernel's last axis but
            one.

    Raises:
        TypeError: `kernel` is not a floating array.
        ValueError: `kernel` has another number of axes, does not fit the inputs, or is empty.

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
