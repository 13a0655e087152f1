"""A run's folder: `history.jsonl` and `checkpoints`, made, continued and written to."""

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from jaxtricks import _json_lines
from jaxtricks._folder_lock import locked
from jaxtricks._processes import on_first_process
from jaxtricks.data import Examples, count_examples, take_batch
from jaxtricks.training._control import Control, Position
from jaxtricks.training._state import TrainState
from jaxtricks.training.checkpoint._restore import restore
from jaxtricks.training.checkpoint._save import save
from jaxtricks.training.loop import _history
from jaxtricks.training.loop._history import Record


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """The files of one run. All processes save checkpoints, the first writes the rest."""

    path: pathlib.Path
    configuration: Mapping[str, Any]
    control: Control

    @contextlib.contextmanager
    def open(self, *, resume: bool) -> Iterator[None]:
        """Makes the folder and keeps other runs out of it; nothing that it holds is changed.

        Raises:
            FileExistsError: it holds a run, and `resume` is False.
            FileNotFoundError: it has a history, but the folder of its checkpoints is gone.
            OSError: it cannot be made or written to.
            RuntimeError: another run writes to it.
        """
        history, checkpoints = self.path / "history.jsonl", self.path / "checkpoints"
        with contextlib.ExitStack() as stack:

            def take() -> None:
                self.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(self.path))

            with naming(self.path):
                on_first_process(take)
                if history.exists() and not history.is_file():
                    raise OSError(f"{history.name} is no regular file")
                begun = history.exists() and history.stat().st_size > 0
                begun = begun or (checkpoints.is_dir() and any(checkpoints.iterdir()))
            if begun and not resume:
                raise FileExistsError(
                    f"{self.path} holds a run: continue it with resume=True, or take another "
                    "folder."
                )
            if begun and not checkpoints.is_dir():
                raise FileNotFoundError(
                    f"{self.path} has a history, but no checkpoints: bring them back, or take "
                    "another folder."
                )
            if jax.process_index() == 0:
                with naming(self.path):
                    checkpoints.mkdir(exist_ok=True)
                    history.open("a").close()
            yield

    def restore(self, start: Position) -> tuple[Position, list[Record]]:
        """The newest intact checkpoint and the history up to it; `start` if none was saved yet.

        Lines of the history that are lost or damaged cost their metrics and nothing else.

        Raises:
            NoIntactCheckpoint: all are damaged.
            ValueError: it is of another configuration.
        """
        history, position = self.path / "history.jsonl", start
        try:
            found = restore(self.path / "checkpoints", start, configuration=self.configuration)
            position = found.tree
        except FileNotFoundError:
            pass
        except ValueError as error:
            error.add_note(
                f"The run in {self.path} is another one: its model, rule, examples or settings "
                "are not those of this call. Take them again, or another folder."
            )
            raise
        with naming(self.path):
            records, lost = _history.read(history, int(position.epoch))
            if lost:
                warnings.warn(
                    f"{history} has no intact line of the epochs {_history.ranges(lost)}: their "
                    "metrics are lost, the run goes on from its checkpoint.",
                    stacklevel=3,
                )
            if jax.process_index() == 0:
                _history.keep(history, records)
        return position, records

    def tell_end(self, position: Position) -> None:
        """Warns that the run in the folder had come to its end."""
        warnings.warn(
            f"the stopping rule had ended the run in {self.path} after {int(position.epoch)} "
            "epochs: nothing is trained. Go on from its state in another folder.",
            stacklevel=3,
        )

    def append(self, record: Record) -> None:
        """Adds an epoch to the history."""
        if jax.process_index() == 0:
            with naming(self.path):
                _json_lines.append(self.path / "history.jsonl", [record])

    def save(self, position: Position, record: Record) -> None:
        """Adds a checkpoint."""
        save(
            self.path / "checkpoints",
            position,
            step=record["step"],
            metric=record[f"validation.{self.control.monitor}"],
            mode=self.control.mode,
            configuration=self.configuration,
        )


def facts_of(
    train: Examples,
    validation: Examples,
    batch_size: int,
    key: Key[Array, ""],
    control: Control,
    state: TrainState,
) -> dict[str, Any]:
    """What must be the same for a run to go on as if it had not been interrupted.

    The kinds of the states are among it: two averagers may keep arrays of equal names and shapes.
    """
    structure = str(jax.tree.structure((state.opt_state, state.average)))
    return {
        "states": re.findall(r"namedtuple\[(\w+)\]", structure),
        "batch_size": batch_size,
        "key": np.asarray(jax.random.key_data(key)).tolist(),
        "monitor": control.monitor,
        "mode": control.mode,
        "train": fingerprint(train, batch_size),
        "validation": fingerprint(validation, batch_size),
    }


def fingerprint(examples: Examples, batch_size: int) -> dict[str, int | str]:
    """The number of examples and a SHA-256 of their bytes; of a source those of its first batch."""
    if not isinstance(examples, Mapping):
        first = np.arange(min(batch_size, len(examples)))
        rows = take_batch(examples, first, np.ones(len(first), np.float32))
        return {**fingerprint(rows, batch_size), "examples": len(examples)}
    digest = hashlib.sha256()
    for name in sorted(examples):
        values = np.ascontiguousarray(examples[name])
        digest.update(json.dumps([name, str(values.dtype), values.shape]).encode())
        digest.update(values.view(np.uint8).data if values.size else b"")
    return {"examples": count_examples(examples), "sha256": digest.hexdigest()}


@contextlib.contextmanager
def add_resume_hint(files: RunFolder | None) -> Iterator[None]:
    """Says after Ctrl-C how to go on. It asks no file, so that a second Ctrl-C finds it said."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if files is not None:
            interrupt.add_note(
                f"The run in {files.path} goes on from its last checkpoint with resume=True; if it "
                "has no checkpoint yet, it begins anew."
            )
        raise


@contextlib.contextmanager
def naming(path: pathlib.Path) -> Iterator[None]:
    """Names the folder in an error of the file system.

    Raises:
        OSError: with the folder's name and the system's reason.
    """
    try:
        yield
    except OSError as error:
        message = f"the run cannot be written: {error.strerror or error}"
        raise OSError(error.errno, message, str(path)) from error
