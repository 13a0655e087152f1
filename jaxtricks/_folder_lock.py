"""One writer for each run folder."""

import contextlib
import errno
import os
import pathlib
import socket
import warnings
from collections.abc import Iterator

NAME = "lock"
HELD: set[tuple[int, str]] = set()  # process and file: the system's locks do not divide threads
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@contextlib.contextmanager
def locked(folder: pathlib.Path) -> Iterator[None]:
    """Keeps a folder for this run alone, until the block ends or the process does, however it ends.

    The lock is one of the operating system on the file `lock`, which is left behind and means
    nothing by itself: a killed process leaves no lock. NFS shares such locks between machines if
    its lock service runs; where a file system or the operating system has none, as Windows, a
    warning says so.

    Raises:
        RuntimeError: another run has it; the message says which process, of which machine.
        OSError: the file cannot be made.
    """
    path = folder / NAME
    own = (os.getpid(), os.path.realpath(path))
    if own in HELD:
        raise RuntimeError(message(folder, "of this process"))
    with path.open("a+") as file:
        take(folder, file.fileno())
        HELD.add(own)
        try:
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
            yield
        finally:
            HELD.discard(own)
            with contextlib.suppress(OSError):
                file.truncate(0)


def take(folder: pathlib.Path, descriptor: int) -> None:
    """Takes the lock of an open file, until the file is closed. A fork of the process has none.

    Raises:
        RuntimeError: another process has it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        warn(folder, "this system has no locks of that kind")
        return
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in NO_LOCKS:
            warn(folder, str(error.strerror))
        elif error.errno in (errno.EAGAIN, errno.EACCES):
            holder = os.pread(descriptor, 200, 0).decode(errors="replace")
            raise RuntimeError(message(folder, holder or "of another process")) from None
        else:
            raise


def warn(folder: pathlib.Path, reason: str) -> None:
    """Says that nothing keeps another run out."""
    warnings.warn(
        f"{folder} cannot be locked ({reason}): see to it that no other run writes to it.",
        stacklevel=3,
    )


def message(folder: pathlib.Path, holder: str) -> str:
    """What is wrong and what to do."""
    return (
        f"{folder} is in use by a run ({holder}): two would ruin each other's files. End that one, "
        "or take another folder."
    )
