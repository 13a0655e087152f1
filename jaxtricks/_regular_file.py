"""Reading only regular files, because opening a pipe or reading a device could wait for ever."""

import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path, *, follow: bool = True) -> BinaryIO:
    """Opens a regular file for reading; refuses pipes, devices and folders.

    Args:
        path: the path of the file.
        follow: whether to follow symbolic links; if not, they are refused.

    Raises:
        OSError: the file cannot be opened, or is not a regular file.
    """
    if not stat.S_ISREG(os.stat(path, follow_symlinks=follow).st_mode):
        raise OSError("it is not a regular file")
    return path.open("rb")


def read_regular(path: Path, *, most: int | None = None, follow: bool = True) -> bytes:
    """Returns the bytes of a regular file of at most `most` bytes.

    Raises:
        OSError: the file cannot be read, is not a regular file, or is larger than `most`.
    """
    with open_regular(path, follow=follow) as file:
        size = os.fstat(file.fileno()).st_size
        if most is not None and size > most:
            raise OSError(f"it has {size} bytes, more than {most}")
        return file.read()
