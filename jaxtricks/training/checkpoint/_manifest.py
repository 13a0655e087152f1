"""Finding every damaged byte of a folder by a list of its files with their sizes and sums."""

import hashlib
import json
import os
from pathlib import Path

NAME = "manifest.json"


class DamagedCheckpoint(Exception):
    """A folder is not what was saved; the message says which file."""


def seal(folder: Path) -> None:
    """Writes the manifest of all files below a folder; when it returns, all are on the disk."""
    files = {}
    for path in files_below(folder):
        files[path.relative_to(folder).as_posix()] = {
            "size": path.stat().st_size,
            "sha256": sha256(path),
        }
        synchronize(path)
    write(folder / NAME, encode(files))
    for path in (*folder.rglob("*"), folder):
        if path.is_dir():
            synchronize(path)


def verify(folder: Path) -> None:
    """Checks that a folder holds the files of its manifest, bit for bit, and no others.

    Raises:
        DamagedCheckpoint: it does not.
    """
    expected = read_manifest(folder)
    found = {path.relative_to(folder).as_posix() for path in files_below(folder)} - {NAME}
    for name in sorted(found - expected.keys()):
        raise DamagedCheckpoint(f"{name} is not in the manifest")
    for name in sorted(expected):
        verify_file(folder, name, expected)


def read_verified(folder: Path, name: str) -> bytes:
    """The bytes of one file, checked against the manifest.

    Raises:
        DamagedCheckpoint: the manifest or this file is missing or damaged.
    """
    verify_file(folder, name, read_manifest(folder))
    return (folder / name).read_bytes()


def read_manifest(folder: Path) -> dict:
    """The manifest, if it is the text that `seal` writes; a flipped space is a difference."""
    try:
        text = (folder / NAME).read_bytes()
        files = json.loads(text)
    except (OSError, ValueError) as error:
        raise DamagedCheckpoint(f"{NAME} cannot be read: {error}") from error
    if not isinstance(files, dict) or encode(files) != text:
        raise DamagedCheckpoint(f"{NAME} is damaged")
    return files


def verify_file(folder: Path, name: str, expected: dict) -> None:
    """Checks the size and the sum of one file."""
    path = folder / name
    try:
        entry = {"size": path.stat().st_size, "sha256": sha256(path)}
    except OSError as error:
        raise DamagedCheckpoint(f"{name} cannot be read: {error}") from error
    if entry != expected.get(name):
        raise DamagedCheckpoint(f"{name} is damaged")


def encode(tree: object) -> bytes:
    """JSON of which there is only one spelling."""
    return (json.dumps(tree, indent=1, sort_keys=True) + "\n").encode()


def write(path: Path, content: bytes) -> None:
    """Writes a file through to the disk."""
    path.write_bytes(content)
    synchronize(path)


def synchronize(path: Path) -> None:
    """Waits until a file's bytes, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """The sum of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_below(folder: Path) -> list[Path]:
    """All files of a folder and its folders."""
    return sorted(path for path in folder.rglob("*") if not path.is_dir())
