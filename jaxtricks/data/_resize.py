"""Images in another size."""

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
    """Interpolates images; the type stays.

    Args:
        images: uint8 or floating. uint8 is rounded, and what a cubic or Lanczos kernel overshoots
            is cut to 0 and 255.
        size: the new height and width.
        method: the kernel.
        antialias: whether the kernel widens when an image shrinks, as in Pillow. It does nothing
            to `"nearest"`.

    Raises:
        TypeError: the images are of another type, or `size` is not a pair of integers.
        ValueError: `size` is under 1, the images have no entries or another rank, or there is no
            such method.

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
            f"images must be [n, height, width, channels] and not empty, got {images.shape}."
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
