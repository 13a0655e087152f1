"""A lock that lets only one run write to a folder."""

import contextlib
import errno
import os
import pathlib
import socket
import warnings
from collections.abc import Iterator

NAME = "lock"
HELD: set[tuple[int, str]] = set()  # process ids and files: locks do not exclude other threads
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@contextlib.contextmanager
def locked(folder: pathlib.Path) -> Iterator[None]:
    """Locks a folder for this run until the `with` block or the process ends, even if killed.

    The operating system locks the file `lock` in the folder. The file stays in the folder, but the
    lock ends with the process. NFS shares such locks between machines if its lock service runs. A
    warning says so if the file system or the operating system (such as Windows) has no such locks.

    Raises:
        RuntimeError: another run holds the lock; the message names its process and machine.
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
    """Locks an open file until it is closed. A fork of the process does not hold the lock.

    Raises:
        RuntimeError: another process holds the lock.
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
    """Warns that the folder cannot be locked against other runs."""
    warnings.warn(
        f"{folder} cannot be locked ({reason}): make sure that no other run writes to it.",
        stacklevel=3,
    )


def message(folder: pathlib.Path, holder: str) -> str:
    """Returns the error message for a folder that another run uses."""
    return (
        f"{folder} is in use by another run ({holder}), and two runs would damage each other's "
        "files: end the other run, or pass another folder."
    )
