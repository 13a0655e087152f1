"""The records' pictures in the sizes of the site, as WebP: made once, then kept under `build/`."""

import hashlib
import io
from collections.abc import Iterator
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


@dataclass(frozen=True)
class Picture:
    """A picture of a record: its file's name without the ending, and its shape at 960 pixels."""

    name: str
    height: int
    animated: bool
    width: int = SMALL


def picture_of(record: Record, folder: Path) -> Picture | None:
    """The picture of a record; None if it has no file."""
    name = record["script"].split("/")[-1]
    source = folder / f"{name}.png"
    if not source.is_file():
        return None
    with Image.open(source) as image:
        height = round(SMALL * image.height / image.width)
    return Picture(name, height, record["animated"] and source.with_suffix(".gif").is_file())


def pictures(edition: Edition, cache: Path = CACHE) -> dict[str, bytes]:
    """All pictures by their path on the site: stills in three widths, animations in one."""
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
    if not all(path.is_file() for path in kept):
        made = _animation(content) if moving else _stills(content)
        for path, webp in zip(kept, made, strict=True):
            write_atomically(path, webp)
    return [path.read_bytes() for path in kept]


def _stills(content: bytes) -> Iterator[bytes]:
    image = Image.open(io.BytesIO(content)).convert("RGB")
    for width in WIDTHS:
        image = _resized(image, width)
        yield _webp([image])


def _animation(content: bytes) -> Iterator[bytes]:
    image = Image.open(io.BytesIO(content))
    frames = [_resized(frame.convert("RGB"), SMALL) for frame in ImageSequence.Iterator(image)]
    yield _webp(frames, duration=image.info["duration"])


def _resized(image: Image.Image, width: int) -> Image.Image:
    height = round(image.height * width / image.width)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _webp(frames: list[Image.Image], **timing: int) -> bytes:
    file = io.BytesIO()
    several = {"save_all": True, "append_images": frames[1:], "loop": 0} if timing else {}
    frames[0].save(file, "WEBP", **QUALITY, **several, **timing)
    return file.getvalue()
