"""Whether inputs and a kernel go together."""

from jaxtricks._array_checks import check_floating


def check_dense(x: object, kernel: object = None) -> None:
    """Checks floating inputs `[..., inputs]`, and a kernel `[inputs, features]` if it is given.

    Raises:
        TypeError: one is not a floating array.
        ValueError: the shapes do not fit.
    """
    check_floating("x", x)
    shape = x.shape  # pyrefly: ignore[missing-attribute]
    if not shape or not shape[-1]:
        raise ValueError(f"x must be [..., inputs], got the shape {shape}.")
    if kernel is not None:
        _check_kernel(kernel, shape, "[inputs, features]", 2)


def check_images(x: object, kernel: object = None) -> None:
    """Checks floating images, and a kernel `[down, right, channel, features]` if it is given.

    Raises:
        TypeError: one is not a floating array.
        ValueError: the shapes do not fit.
    """
    check_floating("x", x)
    shape = x.shape  # pyrefly: ignore[missing-attribute]
    if len(shape) != 4 or 0 in shape[1:]:
        raise ValueError(f"x must be [batch, height, width, channel], got the shape {shape}.")
    if kernel is not None:
        _check_kernel(kernel, shape, "[down, right, channel, features]", 4)


def _check_kernel(kernel: object, x_shape: tuple[int, ...], layout: str, rank: int) -> None:
    check_floating("kernel", kernel)
    shape = kernel.shape  # pyrefly: ignore[missing-attribute]
    if len(shape) != rank or shape[-2] != x_shape[-1] or 0 in shape:
        raise ValueError(
            f"kernel must be {layout} for x of the shape {x_shape}, got the shape {shape}."
        )
