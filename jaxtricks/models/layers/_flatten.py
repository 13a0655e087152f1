"""Flattening images."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from jaxtricks._checks import shown


def flatten(images: Shaped[Array, "batch *rest"]) -> Float[Array, "batch features"]:
    """Flattens each image to one row; rows are returned unchanged.

    Args:
        images: floating images `[n, height, width, channels]` or rows `[n, features]`.

    Returns:
        Rows `[n, height * width * channels]` of the same dtype.

    Raises:
        TypeError: the images are not floating.
        ValueError: the images have another number of axes, or no entries.

    Example:
        >>> flatten(jnp.zeros((2, 28, 28, 1))).shape
        (2, 784)
    """
    check_images(images, ranks=(2, 4))
    return images.reshape(len(images), -1)


def check_images(images: Shaped[Array, "..."], *, ranks: tuple[int, ...]) -> None:
    """Checks that images are floating, not empty, and have a number of axes in `ranks`.

    Raises:
        TypeError: the images are not floating.
        ValueError: the images have another number of axes, or no entries.
    """
    array = isinstance(images, np.ndarray | jax.Array)
    if not array or not jnp.issubdtype(images.dtype, jnp.floating):
        raise TypeError(
            f"images must be a floating array, got {shown(images)}: convert them to floats first."
        )
    if images.ndim not in ranks or not images.size:
        names = {2: "[n, features]", 4: "[n, height, width, channels]"}
        wanted = " or ".join(names[rank] for rank in ranks)
        raise ValueError(f"images must be {wanted} and not empty, got the shape {images.shape}.")
