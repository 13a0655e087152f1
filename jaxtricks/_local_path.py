"""A check of paths in the file system of this machine, where `~` is the home folder."""

import os
import re
from pathlib import Path

from jaxtricks._checks import shown

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # one letter before the colon is a Windows drive


def local_path(name: str, value: object) -> Path:
    """Returns a path with `~` replaced by the home folder.

    Args:
        name: the name of the argument, for the message.
        value: a string or `os.PathLike`, absolute or relative.

    Raises:
        TypeError: `value` is not a path, or is a path of bytes.
        ValueError: `value` is empty, contains a null character, or is an address such as
            `gs://bucket/run`, or the home folder is unknown.

    Example:
        >>> local_path("folder", "runs/first").as_posix()
        'runs/first'
        >>> local_path("folder", "gs://bucket/run")
        Traceback (most recent call last):
        ValueError: folder must be a path of this machine, got 'gs://bucket/run': copy or mount it.
    """
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else value
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a path, got {shown(value)}.")
    if not text:
        raise ValueError(f"{name} must be a path, got '': write '.' for the current folder.")
    if ADDRESS.match(text):
        raise ValueError(
            f"{name} must be a path of this machine, got {shown(text)}: copy or mount it."
        )
    if "\0" in text:
        raise ValueError(f"{name} must be a path, got {shown(text)} with a null character.")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{name} must be a path, got {shown(text)}: {error}") from error
