"""Animated GIFs: small, and the same bytes for the same results."""

import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from experiments.engine._style import METHODS


class Animation(NamedTuple):
    """`show(frame)` changes the artists of `figure` for frame 0 .. `frames` - 1."""

    figure: Figure
    show: Callable[[int], None]
    frames: int
    milliseconds: int = 60


def clock(steps: ArrayLike, frame: int) -> str:
    """The step that a frame shows, and how many times as fast as at first time runs there."""
    paces = np.diff(np.asarray(steps))
    text = f"step {np.asarray(steps)[frame]:.0f}"
    faster = paces[frame - 1] / paces[0] if frame else 1.0
    return f"{text}, {faster:.0f} times as fast" if faster > 1 else text


def gif_bytes(animation: Animation) -> bytes:
    """Renders the frames with one layout and one palette, which has every method's colour."""
    from PIL import Image

    animation.show(animation.frames - 1)
    animation.figure.draw_without_rendering()
    animation.figure.set_layout_engine("none")  # panels stand still, and frames are quick
    images = []
    for frame in range(animation.frames):
        animation.show(frame)
        canvas = FigureCanvasAgg(animation.figure)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())
        images.append(
            Image.frombuffer("RGBA", pixels.shape[1::-1], pixels.tobytes()).convert("RGB")
        )
    lines = [round(255 * part) for look in METHODS.values() for part in to_rgb(look.color)]
    common = images[-1].quantize(128, dither=Image.Dither.NONE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette(lines + common[: 3 * 128])
    flat = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    buffer = io.BytesIO()
    durations = [animation.milliseconds] * (len(flat) - 1) + [1500]
    flat[0].save(
        buffer, "GIF", save_all=True, append_images=flat[1:], duration=durations, loop=0,
        optimize=True,
    )  # fmt: skip
    return buffer.getvalue()
