"""The file of a search: a header that says which one it is, and a line for each trial."""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key, PyTree

from jaxtricks import _json_lines
from jaxtricks._folder_lock import locked
from jaxtricks._local_path import local_path
from jaxtricks._regular_file import read_regular
from jaxtricks.tuning._trials import columns

NAME = "search.jsonl"
Results = dict[str, Any]


class Finished:
    """The results of the trials that are finished, in memory and, if there is a file, in it."""

    def __init__(self, path: Path | None, trials: dict[int, Results]) -> None:
        self.path, self.trials = path, trials

    def add(self, trials: dict[int, Results]) -> None:
        """Adds trials, and returns when they are on the disk."""
        if self.path is not None:
            rows = [{"trial": trial, "results": found} for trial, found in trials.items()]
            _json_lines.append(self.path, rows)
        self.trials |= trials


@contextlib.contextmanager
def finished(
    folder: str | os.PathLike[str] | None, search: str, *, resume: bool
) -> Iterator[Finished]:
    """What is finished of a search, and where more of it goes; the folder is locked meanwhile.

    Raises:
        ValueError: the folder holds another search, or this one and `resume` is False.
        RuntimeError: another search is writing there.
        OSError: the folder or the file cannot be used.
    """
    if folder is None:
        yield Finished(None, {})
        return
    path = local_path("folder", folder)
    path.mkdir(parents=True, exist_ok=True)
    with locked(path):
        file = path / NAME
        records = read(file)
        if records and not resume:
            raise ValueError(
                f"folder {os.fspath(folder)!r} holds a search: resume=True goes on with it."
            )
        headers = {record["search"] for record in records if "search" in record}
        if records and headers != {search}:
            raise ValueError(
                f"folder {os.fspath(folder)!r} holds another search: another key, other "
                "hyper-parameters, or a damaged header. Take another folder."
            )
        if not records:
            _json_lines.append(file, [{"search": search}])
        done = {record["trial"]: record["results"] for record in records if "trial" in record}
        yield Finished(file, done)


def read(file: Path) -> list[dict[str, Any]]:
    """The intact records; a damaged line costs its trial, which is run again."""
    try:
        lines = read_regular(file).split(b"\n")
    except FileNotFoundError:
        return []
    return [record for record in map(_json_lines.decode, lines) if record is not None]


def digest(key: Key[Array, ""], hyper_parameters: PyTree) -> str:
    """The SHA-256 of what decides every trial, the run itself aside."""
    sha256 = hashlib.sha256(repr(jax.random.key_impl(key)).encode())
    sha256.update(np.asarray(jax.random.key_data(key)).tobytes())
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
