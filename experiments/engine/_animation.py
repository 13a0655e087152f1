"""Animated GIFs: small, and the same bytes for the same results."""

import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


class Animation(NamedTuple):
    """`show(frame)` changes the artists of `figure` for frame 0 .. `frames` - 1."""

    figure: Figure
    show: Callable[[int], None]
    frames: int
    milliseconds: int = 60


def gif_bytes(animation: Animation) -> bytes:
    """Renders the frames with one shared palette, without dithering."""
    from PIL import Image

    images = []
    for frame in range(animation.frames):
        animation.show(frame)
        canvas = FigureCanvasAgg(animation.figure)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())
        images.append(
            Image.frombuffer("RGBA", pixels.shape[1::-1], pixels.tobytes()).convert("RGB")
        )
    palette = images[-1].quantize(64, dither=Image.Dither.NONE)
    flat = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    buffer = io.BytesIO()
    durations = [animation.milliseconds] * (len(flat) - 1) + [1500]
    flat[0].save(
        buffer, "GIF", save_all=True, append_images=flat[1:], duration=durations, loop=0,
        optimize=True,
    )  # fmt: skip
    return buffer.getvalue()
