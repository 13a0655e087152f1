"""The finished trials of a search, in memory and in its folder."""

import re
import time
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from jaxtricks import _json_lines
from jaxtricks._regular_file import read_regular
from jaxtricks.tuning._positions import read_positions, stacked, write_positions

NAME, POSITIONS = "search.jsonl", "positions"
Results = dict[str, Any]


class Finished:
    """The finished trials of a search, in memory and, if there is a folder, on disk.

    Several processes of `jax.distributed` share a folder: each writes its own file and reads the
    files of all.

    Attributes:
        folder: the folder of the search, or None.
        search: the digest of the search, which is part of every record.
        rows: the hyper-parameters of each trial, which are written with its results.
        results: the results of each finished `(rung, trial)`.
        places: the file and the row that hold the position of each finished `(rung, trial)`.
        before: the `(rung, trial)` that were finished when the search began or was resumed, the
            same in all processes.
        trees: the positions in each file, for files that this process has computed or read.
    """

    def __init__(
        self,
        folder: Path | None,
        search: str,
        rows: Sequence[dict[str, Any]],
        records: Iterable[dict[str, Any]] = (),
    ) -> None:
        self.folder, self.search, self.rows = folder, search, rows
        self.results: dict[tuple[int, int], Results] = {}
        self.places: dict[tuple[int, int], tuple[str, int]] = {}
        self.take(records)
        self.before = frozenset(self.results)
        self.trees: dict[str, PyTree] = {}

    def take(self, records: Iterable[dict[str, Any]]) -> None:
        """Adds the trials in `records`, except those that this search does not have."""
        for record in records:
            trial = record.get("trial", len(self.rows))
            if trial >= len(self.rows):  # the folder may hold a longer search
                continue
            self.results[record["rung"], trial] = record["results"]
            place, row = record["position"]
            self.places[record["rung"], trial] = (Path(place).name, row)

    def add(self, rung: int, trials: list[int], results: list[Results], positions: PyTree) -> None:
        """Adds the trials of a chunk, and returns when they are on disk.

        Raises:
            ValueError: their results differ in names or lengths from those of earlier trials.
        """
        self.check(rung, trials[0], results[0])
        place = f"{rung}-{trials[0]}-{zlib.crc32(repr(trials).encode()):08x}.npz"
        if positions is not None:
            self.trees[place] = positions
            if self.folder is not None:
                write_positions(self.folder / POSITIONS / place, positions, self.search)
        records = [
            {
                "search": self.search,
                "rung": rung,
                "trial": trial,
                "hyper_parameters": self.rows[trial],
                "results": found,
                "position": [place, row],
            }
            for row, (trial, found) in enumerate(zip(trials, results, strict=True))
        ]
        if self.folder is not None:
            _json_lines.append(self.folder / file_of_process(jax.process_index()), records)
        self.take(records)

    def check(self, rung: int, trial: int, results: Results) -> None:
        """Checks that the results of a trial have the names and lengths of those of other trials.

        Raises:
            ValueError: they do not.
        """
        for (other_rung, other), found in self.results.items():
            same = set(found) == set(results)
            if same and other_rung == rung:
                same = all(np.shape(found[name]) == np.shape(results[name]) for name in found)
            if not same:
                one, two = ({k: np.shape(v) for k, v in some.items()} for some in (results, found))
                raise ValueError(
                    f"run must return the same results in all trials, got {one} in trial {trial} "
                    f"and {two} in trial {other}: if run was changed, use another folder."
                )
            if other_rung == rung:
                return

    def wait(self, rung: int, trials: list[int]) -> None:
        """Waits until the other processes have finished their share of `trials`."""
        while self.folder is not None and any((rung, i) not in self.results for i in trials):
            time.sleep(0.1)
            self.take(read_all(self.folder))

    def positions(self, rung: int, trials: list[int]) -> PyTree:
        """Stacks the positions of `trials` after a rung, all of which must be in memory."""
        places = [self.places[rung, trial] for trial in trials]
        rows = [jax.tree.map(lambda leaf, i=i: leaf[i], self.trees[name]) for name, i in places]
        return jax.tree.map(lambda *leaves: stacked(leaves), *rows)

    def has_position(self, rung: int, trial: int, like: PyTree) -> bool:
        """Says whether the position of a trial is in memory or can be read into it.

        `like` has the shapes and dtypes of the position.
        """
        place, _ = self.places.get((rung, trial), (None, 0))
        if place is None or place in self.trees:
            return place is not None
        assert self.folder is not None
        found = read_positions(self.folder / POSITIONS / place, like, self.search)
        if found is not None:
            self.trees[place] = found
        return found is not None

    def forget(self, rung: int) -> None:
        """Deletes the positions after a rung; use it once the next rung is finished."""
        for place in [name for name in self.trees if name.startswith(f"{rung}-")]:
            del self.trees[place]
        if self.folder is not None and jax.process_index() == 0:
            for file in (self.folder / POSITIONS).glob(f"{rung}-*.npz"):
                file.unlink(missing_ok=True)


def file_of_process(process: int) -> str:
    """Gives the name of the file to which a process writes its finished trials."""
    return f"search-{process}.jsonl" if process else NAME


def files(folder: Path) -> list[Path]:
    """Finds the files of all processes that have written to the folder."""
    return sorted(p for p in folder.iterdir() if re.fullmatch(r"search(-\d+)?\.jsonl", p.name))


def read_all(folder: Path) -> list[dict[str, Any]]:
    """Reads the intact records of all files; a trial whose line is damaged will be run again."""
    lines = [line for file in files(folder) for line in read_regular(file).split(b"\n")]
    return [record for record in map(_json_lines.decode, lines) if record is not None]


def rows_of(results: dict[str, Any], trials: list[int]) -> list[Results]:
    """Converts the results of each trial to Python numbers and lists."""
    arrays = {name: np.asarray(values) for name, values in results.items()}
    return [{name: v[i].tolist() for name, v in arrays.items()} for i in range(len(trials))]
