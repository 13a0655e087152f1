"""The files of one experiment's picture: drawn, captioned and written."""

import io
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from PIL import Image

from experiments.engine._animation import gif_bytes
from experiments.engine._script import Script
from experiments.engine._sentences import finding
from experiments.engine._style import RC, caption
from experiments.engine._verdict import Verdict
from experiments.files import write_atomically

SMALL = 300_000  # bytes of an SVG that is kept


def picture_path(script: Script, out: Path) -> Path:
    """The animation of an animated script; its still, a PNG, lies beside it."""
    return out / f"{script.stem}.{'gif' if script.animate else 'png'}"


def picture_files(
    script: Script, results: dict[str, Any], preset: str, verdicts: Sequence[Verdict]
) -> dict[str, bytes]:
    """The picture's files by suffix: of an animation a still too, of a small one SVG besides.

    A smoke run draws sketches.
    """
    pictures = {}
    with plt.rc_context(RC):
        animation = script.animate(results) if script.animate else None
        figure = animation.figure if animation else script.module.draw(results)
        shown = [textwrap.shorten(finding(v), 240, placeholder=" ...") for v in verdicts]
        caption(figure, script.question, shown)
        try:
            if preset == "smoke":
                _sketch(figure)
            if animation:
                pictures[".gif"] = gif_bytes(animation)
            pictures[".png"] = _png(figure, sketch=preset == "smoke")
            if preset != "smoke" and not animation:
                svg = _svg(figure)
                pictures |= {".svg": svg} if len(svg) < SMALL else {}
        finally:
            plt.close(figure)
    return pictures


def write_picture(script: Script, out: Path, pictures: dict[str, bytes]) -> None:
    """Writes a picture's files; an SVG that is none of them any more is removed."""
    for suffix, picture in pictures.items():
        write_atomically(picture_path(script, out).with_suffix(suffix), picture)
    if ".svg" not in pictures:
        picture_path(script, out).with_suffix(".svg").unlink(missing_ok=True)


def _png(figure: Figure, *, sketch: bool) -> bytes:
    """With a palette of 256 colours, a third of the size."""
    buffer, metadata = io.BytesIO(), {"Software": None}
    if sketch:
        FigureCanvasAgg(figure).print_png(buffer, metadata=metadata)
        return buffer.getvalue()
    figure.savefig(buffer, format="png", metadata=metadata)
    flat, image = io.BytesIO(), Image.open(buffer).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(flat, "PNG", optimize=True)
    return flat.getvalue()


def _svg(figure: Figure) -> bytes:
    """Matplotlib names clips and markers by hashes of numbers whose last digits are not the same in
    every process; here they are counted."""
    buffer, names = io.BytesIO(), dict[bytes, bytes]()
    figure.savefig(buffer, format="svg", metadata={"Date": None})

    def counted(name: re.Match[bytes]) -> bytes:
        return names.setdefault(name[0], b"shape_%d" % len(names))

    return re.sub(rb"\b[mp][0-9a-f]{10}\b", counted, buffer.getvalue())


def _sketch(figure: Figure) -> None:
    """Small, without ticks and layout, which cost most of a smoke run's drawing."""
    figure.set_layout_engine("none")
    figure.set_dpi(40)
    for axis in figure.findobj(Axis):
        axis.set_major_locator(NullLocator())
        axis.set_minor_locator(NullLocator())
