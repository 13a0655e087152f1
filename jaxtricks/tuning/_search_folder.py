"""The folder of a search: whose it is, and that all processes see it."""

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, PyTree

from jaxtricks import _json_lines
from jaxtricks._folder_lock import locked
from jaxtricks._local_path import local_path
from jaxtricks._processes import of_all_processes, on_first_process
from jaxtricks._regular_file import read_regular
from jaxtricks.tuning._finished import NAME, Finished, files, read_all
from jaxtricks.tuning._trials import columns


@contextlib.contextmanager
def finished(
    folder: str | os.PathLike[str] | None, search: str, *, resume: bool
) -> Iterator[Finished]:
    """What is finished of a search, and where more of it goes; the folder is locked meanwhile.

    Raises:
        ValueError: the folder holds another search, or this one and `resume` is False; or there are
            several processes, and no folder, one that is not the same for all, or other arguments.
        RuntimeError: another search is writing there.
        OSError: the folder or the file cannot be used.
    """
    if folder is None:
        if resume:
            raise ValueError("folder must be given with resume=True, got None.")
        if jax.process_count() > 1:
            raise ValueError(
                f"folder must be given to a search of {jax.process_count()} processes, one that "
                "all see, got None."
            )
        yield Finished(None)
        return
    path = local_path("folder", folder)
    check_same_search(search)
    with contextlib.ExitStack() as stack:

        def begin() -> None:
            path.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(path))
            check_search(path, search, resume=resume)

        on_first_process(begin)
        check_seen(path)
        done = Finished(path, search, read_all(path))
        of_all_processes(np.zeros(1, bool))  # none writes before all have read
        yield done


def check_search(folder: Path, search: str, *, resume: bool) -> None:
    """Checks that a folder holds this search or none, and writes which one it is.

    Raises:
        ValueError: it holds another one, or this one and `resume` is False.
    """
    records = read_all(folder)
    if not records and any(map(read_regular, files(folder))):
        raise ValueError(f"folder {os.fspath(folder)!r} has a {NAME} that is of no search.")
    if not any("trial" in record for record in records):
        records = []  # it failed before a trial was finished
        for file in files(folder):
            file.unlink()
    if records and not resume:
        raise ValueError(
            f"folder {os.fspath(folder)!r} holds a search: resume=True goes on with it."
        )
    if {record.get("search") for record in records} - {search}:
        raise ValueError(
            f"folder {os.fspath(folder)!r} holds another search: another key, other "
            "hyper-parameters, data or rungs, or a damaged header. Take another folder."
        )
    if not records:
        _json_lines.append(folder / NAME, [{"search": search}])


def check_same_search(search: str) -> None:
    """Checks that all processes have one search.

    Raises:
        ValueError: their arguments differ.
    """
    searches = of_all_processes(np.frombuffer(bytes.fromhex(search), np.uint8))
    others = np.flatnonzero((searches != searches[0]).any(axis=1)).tolist()
    if others:
        raise ValueError(
            "search must have the same key, space, trials, data and rungs in all processes: those "
            f"of process 0 are not those of {others}."
        )


def check_seen(folder: Path) -> None:
    """Checks that all processes see one folder.

    Raises:
        ValueError: a process does not see what process 0 writes.
    """
    token = of_all_processes(np.frombuffer(secrets.token_bytes(8), np.uint8))[0].tobytes().hex()
    file = folder / f"seen-by-all-{token}"
    on_first_process(file.touch)
    seen = of_all_processes(np.array([file.exists()]))[:, 0]
    on_first_process(file.unlink)
    if not seen.all():
        raise ValueError(
            f"folder must be one that all processes see, but {np.flatnonzero(~seen).tolist()} do "
            f"not see what process 0 writes to {os.fspath(folder)!r}."
        )


def digest(key: Key[Array, ""], hyper_parameters: PyTree, shared: PyTree, *rest: Any) -> str:
    """The SHA-256 of what decides every trial, the run itself aside."""
    sha256 = hashlib.sha256(repr((jax.random.key_impl(key), rest)).encode())
    sha256.update(np.asarray(jax.random.key_data(key)).tobytes())
    for path, leaf in jax.tree_util.tree_leaves_with_path(shared):
        is_key = jnp.issubdtype(getattr(leaf, "dtype", None), jax.dtypes.prng_key)
        values = np.asarray(jax.random.key_data(leaf) if is_key else leaf)
        sha256.update(f"{path} {values.dtype} {values.shape} ".encode() + values.tobytes())
    for name, values in columns(hyper_parameters).items():
        sha256.update(f"{name} {values.dtype} ".encode())
        if values.dtype == object:
            sha256.update("\n".join(map(label, values)).encode())
        else:
            sha256.update(values.tobytes())
    return sha256.hexdigest()


def label(value: object) -> str:
    """A value of a choice as text that is the same in every process."""
    text = getattr(value, "__qualname__", None) or repr(value)
    return re.sub(r" at 0x[0-9a-f]+", "", text)
