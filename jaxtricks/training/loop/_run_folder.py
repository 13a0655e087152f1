"""The folder of a run, with `history.jsonl` and `checkpoints`: making, resuming and writing."""

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
    """The files of one run. All processes save checkpoints; the first process writes the rest."""

    path: pathlib.Path
    configuration: Mapping[str, Any]
    control: Control

    @contextlib.contextmanager
    def open(self, *, resume: bool) -> Iterator[None]:
        """Makes the folder and keeps other runs out of it, without changing its contents.

        Raises:
            FileExistsError: it holds a run, and `resume` is False.
            FileNotFoundError: it has a history, but the folder of its checkpoints is missing.
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
                    raise OSError(f"{history.name} is not a regular file")
                begun = history.exists() and history.stat().st_size > 0
                begun = begun or (checkpoints.is_dir() and any(checkpoints.iterdir()))
            if begun and not resume:
                raise FileExistsError(
                    f"{self.path} holds a run: continue it with resume=True, or use another folder."
                )
            if begun and not checkpoints.is_dir():
                raise FileNotFoundError(
                    f"{self.path} has a history, but no checkpoints: put them back, or use "
                    "another folder."
                )
            if jax.process_index() == 0:
                with naming(self.path):
                    checkpoints.mkdir(exist_ok=True)
                    history.open("a").close()
            yield

    def restore(self, start: Position) -> tuple[Position, list[Record]]:
        """Returns the position of the newest intact checkpoint and the history up to it.

        If there is no checkpoint, the position is `start`. Lost or damaged lines of the history
        cost only the metrics of their epochs.

        Raises:
            NoIntactCheckpoint: all checkpoints are damaged.
            ValueError: the checkpoint has another configuration or another tree.
        """
        history, position = self.path / "history.jsonl", start
        try:
            found = restore(self.path / "checkpoints", start, configuration=self.configuration)
            position = found.tree
        except FileNotFoundError:
            pass
        except ValueError as error:
            error.add_note(
                f"The folder {self.path} holds another run: its model, optimizer, examples or "
                "settings differ from those of this call. Use the same, or another folder."
            )
            raise
        with naming(self.path):
            records, lost = _history.read(history, int(position.epoch))
            if lost:
                warnings.warn(
                    f"{history} has no intact line for the epochs {_history.ranges(lost)}: their "
                    "metrics are lost, and the run continues from its checkpoint.",
                    stacklevel=3,
                )
            if jax.process_index() == 0:
                _history.keep(history, records)
        return position, records

    def tell_end(self, position: Position) -> None:
        """Warns that the stopping rule had already ended the run in the folder."""
        warnings.warn(
            f"the stopping rule had ended the run in {self.path} after {int(position.epoch)} "
            "epochs: nothing is trained. To train its state further, use another folder.",
            stacklevel=3,
        )

    def append(self, record: Record) -> None:
        """Adds the record of an epoch to the history."""
        if jax.process_index() == 0:
            with naming(self.path):
                _json_lines.append(self.path / "history.jsonl", [record])

    def save(self, position: Position, record: Record) -> None:
        """Saves a checkpoint."""
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
    """Returns what must be the same for a run to continue as if it had not been interrupted.

    This includes the types of the states, because two averagers may keep arrays of the same names
    and shapes.
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
    """Returns the number of examples and a SHA-256 sum of their bytes.

    Of a data source only the first batch enters the sum.
    """
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
    """Adds a note on how to continue after Ctrl-C.

    It reads no file, so that the note is added before a second Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if files is not None:
            interrupt.add_note(
                f"With resume=True the run in {files.path} continues from its last checkpoint, or "
                "starts anew if it has none."
            )
        raise


@contextlib.contextmanager
def naming(path: pathlib.Path) -> Iterator[None]:
    """Adds the path of the folder to an error of the file system.

    Raises:
        OSError: with the folder's path and the system's reason.
    """
    try:
        yield
    except OSError as error:
        message = f"the run cannot be written: {error.strerror or error}"
        raise OSError(error.errno, message, str(path)) from error
