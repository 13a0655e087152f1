"""Finding damaged files of a folder by a manifest of their sizes and SHA-256 sums."""

import hashlib
import json
import os
from pathlib import Path

from jaxtricks._regular_file import open_regular, read_regular

NAME = "manifest.json"
MAX_FILE_BYTES = 2**28  # of a file that is read as a whole; descriptions are far smaller


class DamagedCheckpoint(Exception):
    """A folder differs from what was saved; the message says which file."""


def seal(folder: Path) -> None:
    """Writes the manifest of all files below a folder, and waits until all are on the disk."""
    files = {}
    for path in files_below(folder):
        files[path.relative_to(folder).as_posix()] = {
            "size": path.stat().st_size,
            "sha256": sha256(path),
        }
        synchronize(path)
    write(folder / NAME, encode(files))
    for path in (*folder.rglob("*"), folder):
        if is_folder(path):
            synchronize(path)


def verify(folder: Path) -> None:
    """Checks that a folder holds the files of its manifest, bit for bit, and nothing else.

    Raises:
        DamagedCheckpoint: the folder differs from its manifest.
    """
    expected = read_manifest(folder)
    try:
        found = {path.relative_to(folder).as_posix() for path in files_below(folder)} - {NAME}
    except OSError as error:
        raise DamagedCheckpoint(f"the folder cannot be read: {error}") from error
    for name in sorted(found - expected.keys()):
        raise DamagedCheckpoint(f"{name} is not in the manifest")
    for name in sorted(expected.keys() - found):
        raise DamagedCheckpoint(f"{name} is missing")
    for name in sorted(expected):
        verify_file(folder, name, expected[name])


def read_verified(folder: Path, name: str) -> bytes:
    """Reads one file and checks it against the manifest.

    Raises:
        DamagedCheckpoint: the manifest or this file is missing or damaged.
    """
    entry = read_manifest(folder).get(name)
    content = read_small(folder, name)
    if entry != {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}:
        raise DamagedCheckpoint(f"{name} is damaged")
    return content


def read_manifest(folder: Path) -> dict:
    """Reads the manifest, and checks that it is exactly the text that `seal` writes.

    Raises:
        DamagedCheckpoint: the manifest is missing, or even one space of it differs.
    """
    text = read_small(folder, NAME)
    files = decode(NAME, text)
    flat = isinstance(files, dict) and all(
        isinstance(entry, dict) and [*map(type, entry.values())] in ([str, int], [int, str])
        for entry in files.values()
    )
    if not flat or encode(files) != text:
        raise DamagedCheckpoint(f"{NAME} is damaged")
    return files  # pyrefly: ignore[bad-return]


def read_small(folder: Path, name: str) -> bytes:
    """Reads a whole file of at most `MAX_FILE_BYTES` bytes.

    Raises:
        DamagedCheckpoint: it cannot be read.
    """
    try:
        return read_regular(folder / name, most=MAX_FILE_BYTES, follow=False)
    except OSError as error:
        raise DamagedCheckpoint(f"{name} cannot be read: {error}") from error


def verify_file(folder: Path, name: str, expected: object) -> None:
    """Checks the size of one file and, if that is right, its SHA-256 sum.

    Raises:
        DamagedCheckpoint: the file cannot be read, or its size or sum is wrong.
    """
    try:
        with open_regular(folder / name, follow=False) as file:
            entry: dict[str, int | str] = {"size": os.fstat(file.fileno()).st_size}
            if isinstance(expected, dict) and expected.get("size") == entry["size"]:
                entry["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DamagedCheckpoint(f"{name} cannot be read: {error}") from error
    if entry != expected:
        raise DamagedCheckpoint(f"{name} is damaged")


def decode(name: str, text: bytes) -> object:
    """Parses a JSON file.

    Raises:
        DamagedCheckpoint: it is not JSON, or it is nested deeper than Python reads.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedCheckpoint(f"{name} is damaged: {error}") from error


def encode(tree: object) -> bytes:
    """Writes a tree as JSON in a unique way: the same tree always gives the same bytes."""
    return (json.dumps(tree, indent=1, sort_keys=True) + "\n").encode()


def write(path: Path, content: bytes) -> None:
    """Writes a file, and waits until its bytes are on the disk."""
    path.write_bytes(content)
    synchronize(path)


def synchronize(path: Path) -> None:
    """Waits until the bytes of a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """Computes the SHA-256 sum of a file, which is read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_below(folder: Path) -> list[Path]:
    """Lists everything below a folder except folders; a link to a folder counts as a file."""
    found, folders = [], [folder]
    while folders:
        for path in folders.pop().iterdir():
            (folders if is_folder(path) else found).append(path)
    return sorted(found)


def is_folder(path: Path) -> bool:
    """Says whether a path is a folder itself, not a link to one."""
    return path.is_dir() and not path.is_symlink()
