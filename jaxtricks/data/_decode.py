"""Image files as arrays: PNG and JPEG alone, and no larger than they may be."""

import io
from collections.abc import Callable, Sequence

import numpy as np

from jaxtricks.data._description import Features

MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def decoder_of(name: str, features: Features) -> Callable[[bytes], np.ndarray]:
    """Makes a function from a PNG or JPEG file to height x width x channels, like TFDS's own.

    Other formats are refused, since Pillow starts programs for some of them. The size that a file
    states is compared with the data set's before anything is decoded.

    Raises:
        ValueError: by the function: the file is damaged, of another format or of another size.
    """
    from PIL import Image

    height, width, channels = features.shape
    mode = MODES.get(channels or 0)

    def decode(encoded: bytes) -> np.ndarray:
        try:
            image = Image.open(io.BytesIO(encoded), formats=("PNG", "JPEG"))
        except Exception as error:  # headers have no closed list of errors
            raise ValueError(f"{name} has an image that is no PNG or JPEG: {error}") from error
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
    """Puts images into one array.

    Raises:
        ValueError: they have several shapes.
    """
    shapes = sorted({image.shape for image in images})
    if len(shapes) > 1:
        raise ValueError(
            f"{name} must have images of one shape, got {shapes[0]} and {shapes[-1]}: read it by "
            "jaxtricks.data.TfdsSource with a transform that makes them equal."
        )
    return np.stack(images)
