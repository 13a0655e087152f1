"""Reading files that strangers or a failing disk may have changed: nothing here waits for ever."""

import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path, *, follow: bool = True) -> BinaryIO:
    """Opens a file for reading, if it is one: a pipe would wait for a writer, a device never end.

    Args:
        path: of the file.
        follow: whether a symbolic link to a file is taken for the file.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    if not stat.S_ISREG(os.stat(path, follow_symlinks=follow).st_mode):
        raise OSError("it is no regular file")
    return path.open("rb")


def read_regular(path: Path, *, most: int | None = None, follow: bool = True) -> bytes:
    """The bytes of a regular file, at most `most` of them.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger.
    """
    with open_regular(path, follow=follow) as file:
        size = os.fstat(file.fileno()).st_size
        if most is not None and size > most:
            raise OSError(f"it has {size} bytes, more than {most}")
        return file.read()
