"""Decoding of PNG and JPEG images into arrays, with a check of their size."""

import io
from collections.abc import Callable, Sequence

import numpy as np

from jaxtricks.data._description import Features

MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def decoder_of(name: str, features: Features) -> Callable[[bytes], np.ndarray]:
    """Makes a function that decodes a PNG or JPEG file to `[height, width, channels]`.

    The result is that of TFDS's decoder. Other formats are refused, since Pillow starts external
    programs for some of them. The size in the file's header is compared with that of the data set
    before the pixels are decoded.

    Raises:
        ValueError: when the function is called, the file is damaged, of another format or of
            another size.
    """
    from PIL import Image

    height, width, channels = features.shape
    mode = MODES.get(channels or 0)

    def decode(encoded: bytes) -> np.ndarray:
        try:
            image = Image.open(io.BytesIO(encoded), formats=("PNG", "JPEG"))
        except Exception as error:  # Pillow does not document what it raises for bad headers
            raise ValueError(f"{name} has an image that is not PNG or JPEG: {error}") from error
        if height not in (None, image.height) or width not in (None, image.width):
            raise ValueError(
                f"{name} must have images of {height} x {width}, got a file of {image.height} x "
                f"{image.width}."
            )
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"{name} must have images of 8 bits, got one of mode {image.mode}.")
        try:
            values = np.asarray(image if mode in (None, image.mode) else image.convert(mode))
        except Exception as error:
            raise ValueError(f"{name} has a damaged image: {error}") from error
        values = values[:, :, None] if values.ndim == 2 else values
        if channels not in (None, values.shape[2]):
            raise ValueError(f"{name} must have {channels} channels, got {values.shape[2]}.")
        return values

    return decode


def stack(name: str, images: Sequence[np.ndarray]) -> np.ndarray:
    """Stacks images into one array.

    Raises:
        ValueError: the images have different shapes.
    """
    shapes = sorted({image.shape for image in images})
    if len(shapes) > 1:
        raise ValueError(
            f"{name} must have images of one shape, got {shapes[0]} and {shapes[-1]}: read it with "
            "jaxtricks.data.TfdsSource and a transform that makes the shapes equal."
        )
    return np.stack(images)
