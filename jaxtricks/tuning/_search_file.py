"""The file of a search: a header that says which one it is, and a line for each trial."""

import contextlib
import hashlib
import os
import re
import shutil
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
from jaxtricks._regular_file import read_regular
from jaxtricks.training import restore, save
from jaxtricks.tuning._trials import columns

NAME, POSITIONS = "search.jsonl", "positions"
Results = dict[str, Any]


class Finished:
    """What is finished, in memory and, if there is a folder, in it.

    Attributes:
        results: of each `(rung, trial)`.
        places: where the position of each is: a key of `trees`, or a folder, and the row.
        trees: positions of a chunk of trials that this process has run.
    """

    def __init__(self, folder: Path | None, records: list[dict[str, Any]]) -> None:
        self.folder = folder
        names = [(record["rung"], record["trial"]) for record in records]
        self.results = {n: r["results"] for n, r in zip(names, records, strict=True)}
        self.places = {n: r["position"] for n, r in zip(names, records, strict=True)}
        self.trees: dict[str, PyTree] = {}

    def add(self, rung: int, trials: list[int], results: list[Results], positions: PyTree) -> None:
        """Adds the trials of a chunk, and returns when they are on the disk."""
        place = f"{rung}-{trials[0]}"
        if positions is not None:
            self.trees[place] = positions
            if self.folder is not None:
                save(self.folder / POSITIONS / place, positions, step=0)
        rows = [
            {"rung": rung, "trial": trial, "results": found, "position": [place, row]}
            for row, (trial, found) in enumerate(zip(trials, results, strict=True))
        ]
        if self.folder is not None:
            _json_lines.append(self.folder / NAME, rows)
        for record in rows:
            self.results[rung, record["trial"]] = record["results"]
            self.places[rung, record["trial"]] = record["position"]

    def positions(self, rung: int, trials: list[int], like: PyTree) -> PyTree:
        """The positions of these trials after a rung, stacked; `like` is the shape of one."""
        found = [self.position(rung, trial, like) for trial in trials]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *found)

    def position(self, rung: int, trial: int, like: PyTree) -> PyTree:
        """The position of one trial, read from its chunk's file if an earlier process ran it."""
        place, row = self.places[rung, trial]
        if place not in self.trees:
            assert self.folder is not None
            rows = 1 + max(r for (n, _), (p, r) in self.places.items() if n == rung and p == place)
            self.trees[place] = restore_rows(self.folder / POSITIONS / place, rows, like)
        return jax.tree.map(lambda leaf: leaf[row], self.trees[place])

    def has_position(self, rung: int, trial: int) -> bool:
        """Whether the position of a trial after a rung is in memory or on the disk."""
        place, _ = self.places.get((rung, trial), ("", 0))
        if place in self.trees:
            return True
        return (
            bool(place) and self.folder is not None and (self.folder / POSITIONS / place).is_dir()
        )

    def forget(self, rung: int) -> None:
        """Removes the positions of a rung after which the next one is finished."""
        for place in {p for (n, _), (p, _) in self.places.items() if n == rung}:
            self.trees.pop(place, None)
            if self.folder is not None:
                shutil.rmtree(self.folder / POSITIONS / place, ignore_errors=True)


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
        if resume:
            raise ValueError("folder must be given with resume=True, got None.")
        yield Finished(None, [])
        return
    path = local_path("folder", folder)
    path.mkdir(parents=True, exist_ok=True)
    with locked(path):
        file = path / NAME
        records = read(file)
        if not records and file.exists() and read_regular(file):
            raise ValueError(f"folder {os.fspath(folder)!r} has a {NAME} that is of no search.")
        if not any("trial" in record for record in records):
            records = []  # it failed before a trial was finished
            file.unlink(missing_ok=True)
        if records and not resume:
            raise ValueError(
                f"folder {os.fspath(folder)!r} holds a search: resume=True goes on with it."
            )
        headers = {record["search"] for record in records if "search" in record}
        if records and headers != {search}:
            raise ValueError(
                f"folder {os.fspath(folder)!r} holds another search: another key, other "
                "hyper-parameters, data or rungs, or a damaged header. Take another folder."
            )
        if not records:
            _json_lines.append(file, [{"search": search}])
        yield Finished(path, [record for record in records if "trial" in record])


def read(file: Path) -> list[dict[str, Any]]:
    """The intact records; a damaged line costs its trial, which is run again."""
    try:
        lines = read_regular(file).split(b"\n")
    except FileNotFoundError:
        return []
    return [record for record in map(_json_lines.decode, lines) if record is not None]


def restore_rows(folder: Path, rows: int, like: PyTree) -> PyTree:
    """A chunk's positions, `like` being the shape of one."""

    def stacked(leaf: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((rows, *leaf.shape), leaf.dtype)

    return restore(folder, jax.tree.map(stacked, like)).tree


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
