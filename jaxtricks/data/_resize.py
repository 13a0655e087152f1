"""Resizing of images."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Shaped

from jaxtricks._array_checks import real_array
from jaxtricks._array_size import check_array_size
from jaxtricks._checks import check_choice, check_flag, check_integer, check_pair

METHODS = ("nearest", "linear", "cubic", "lanczos3", "lanczos5")


def resize(
    images: Shaped[Array | np.ndarray, "n height width channels"],
    size: tuple[int, int],
    *,
    method: Literal["nearest", "linear", "cubic", "lanczos3", "lanczos5"] = "linear",
    antialias: bool = True,
) -> Shaped[Array, "n new_height new_width channels"]:
    """Resizes images by interpolation, without changing their dtype.

    Args:
        images: uint8 or floating `[n, height, width, channels]`. For uint8 images the result is
            rounded, and clipped to `[0, 255]` where a cubic or Lanczos kernel overshoots.
        size: the new height and width, each at least 1.
        method: name of the interpolation kernel.
        antialias: whether to widen the kernel when an image shrinks, as Pillow does. It has no
            effect on `"nearest"`.

    Returns:
        The resized images, `[n, *size, channels]`.

    Raises:
        TypeError: `images` is neither uint8 nor floating, `size` is not a pair of integers, or
            `antialias` is not a bool.
        ValueError: a size is under 1, `images` is empty or does not have four axes, `method` is
            unknown, or the result would be too large.

    Example:
        >>> resize(np.array([0, 100], np.uint8).reshape(1, 1, 2, 1), (1, 4)).ravel().tolist()
        [0, 25, 75, 100]

    References:
        [jax.image.resize](https://docs.jax.dev/en/latest/_autosummary/jax.image.resize.html), which
        defines the kernels.
    """
    check_flag("antialias", antialias)
    images = real_array("images", images)
    if images.dtype != jnp.uint8 and not jnp.issubdtype(images.dtype, jnp.floating):
        raise TypeError(f"images must be uint8 or floating, got {images.dtype}.")
    if images.ndim != 4 or not images.size:
        raise ValueError(
            "images must be [n, height, width, channels] and not empty, got the shape "
            f"{images.shape}."
        )
    check_pair("size", size)
    for length in size:
        check_integer("size", length, low=1)
    check_choice("method", method, METHODS)
    shape = (len(images), *size, images.shape[3])
    check_array_size("size", size, shape)
    if jnp.issubdtype(images.dtype, jnp.floating):
        return jax.image.resize(images, shape, method, antialias)
    levels = jax.image.resize(images.astype(jnp.float32), shape, method, antialias)
    return jnp.clip(jnp.round(levels), 0, 255).astype(jnp.uint8)
