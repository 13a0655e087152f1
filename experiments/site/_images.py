"""The records' pictures in the sizes of the site, as WebP: made once, then kept under `build/`."""

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageSequence

from experiments.files import write_atomically
from experiments.site._edition import Edition, Record

WIDTHS = (1920, 960, 480)  # each is made from the one before
SMALL = 960  # width of animations, and of the picture that a card shows at most
FOLDER = "assets/pictures"
CACHE = Path(__file__).parents[2] / "build" / "pictures"
QUALITY = {"quality": 80, "method": 2}  # a part of the cache's key
FLATTEST, TALLEST = 0.05, 8.0  # height over width; WebP ends at 16383 pixels
MOST_PIXELS = 50_000_000


@dataclass(frozen=True)
class Picture:
    """A picture of a record: its file's name without the ending, and its shape at 960 pixels."""

    name: str
    height: int
    animated: bool
    width: int = SMALL


def picture_of(record: Record, folder: Path) -> Picture | None:
    """The picture of a record; None if it has no file.

    Raises:
        ValueError: the file is no picture that the site can show.
    """
    name = record["script"].split("/")[-1]
    source = folder / f"{name}.png"
    if not source.is_file():
        return None
    with _told(source), _opened(source.read_bytes()) as image:
        height = round(SMALL * image.height / image.width)
    return Picture(name, height, record["animated"] and source.with_suffix(".gif").is_file())


def pictures(edition: Edition, cache: Path = CACHE) -> dict[str, bytes]:
    """All pictures by their path on the site: stills in three widths, animations in one.

    Raises:
        ValueError: a file is no picture that the site can show.
    """
    cache.mkdir(parents=True, exist_ok=True)
    files: dict[str, bytes] = {}
    for record in edition.records:
        picture = picture_of(record, edition.folder)
        if picture is None:
            continue
        source = edition.folder / f"{picture.name}.png"
        for width, content in zip(WIDTHS, _cached(source, cache), strict=True):
            files[f"{FOLDER}/{picture.name}-{width}.webp"] = content
        if picture.animated:
            (content,) = _cached(source.with_suffix(".gif"), cache)
            files[f"{FOLDER}/{picture.name}-moving.webp"] = content
    return files


def _cached(source: Path, cache: Path) -> list[bytes]:
    """What is made of a picture; made anew only if its content or the settings are others."""
    moving = source.suffix == ".gif"
    widths = (SMALL,) if moving else WIDTHS
    content = source.read_bytes()
    key = hashlib.sha256(repr(QUALITY).encode() + content).hexdigest()
    kept = [cache / f"{key}-{width}.webp" for width in widths]
    files = [path.read_bytes() if path.is_file() else b"" for path in kept]
    if not all(map(_is_whole, files)):
        with _told(source):
            files = list(_animation(content) if moving else _stills(content))
        for path, webp in zip(kept, files, strict=True):
            write_atomically(path, webp)
    return files


def _is_whole(webp: bytes) -> bool:
    """Whether the file is as long as its own head says."""
    return webp[:4] == b"RIFF" and len(webp) == 8 + int.from_bytes(webp[4:8], "little")


@contextmanager
def _told(source: Path) -> Iterator[None]:
    """Names the file, whichever of its many errors Pillow raises."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{source} is no picture that can be shown: {error}.") from error


@contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
    """The picture, if its shape is one of a picture."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
            if not FLATTEST <= height / width <= TALLEST or width * height > MOST_PIXELS:
                raise ValueError(f"it has {width} x {height} pixels")
            yield image


def _stills(content: bytes) -> Iterator[bytes]:
    with _opened(content) as image:
        still = image.convert("RGB")
    for width in WIDTHS:
        still = _resized(still, width)
        yield _webp([still])


def _animation(content: bytes) -> Iterator[bytes]:
    with _opened(content) as image:
        frames = [_resized(frame.convert("RGB"), SMALL) for frame in ImageSequence.Iterator(image)]
        if len(frames) < 2 or not image.info.get("duration"):
            raise ValueError("it has one frame, or frames without a duration")
        yield _webp(frames, duration=image.info["duration"])


def _resized(image: Image.Image, width: int) -> Image.Image:
    height = round(image.height * width / image.width)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _webp(frames: list[Image.Image], **timing: int) -> bytes:
    file = io.BytesIO()
    several = {"save_all": True, "append_images": frames[1:], "loop": 0} if timing else {}
    frames[0].save(file, "WEBP", **QUALITY, **several, **timing)
    return file.getvalue()
