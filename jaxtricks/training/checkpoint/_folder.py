"""The folder with a run's checkpoints: finding them, adding one, and removing old ones.

A disk fault or a person may have changed the files. When old checkpoints are removed, or one is
restored, only intact checkpoints count; damaged ones that are found are not removed.

A checkpoint is a folder named by its step. It is written under a temporary name and renamed when
all of it is on the disk; it is renamed again before it is removed. Therefore a kill at any moment
leaves whole checkpoints, one of them perhaps named `*.replaced`, and perhaps folders named `*.tmp`,
which the next save removes.
"""

import itertools
import math
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from jaxtricks.training.checkpoint._manifest import (
    DamagedCheckpoint,
    decode,
    encode,
    is_folder,
    read_verified,
    seal,
    synchronize,
    verify,
    write,
)
from jaxtricks.training.checkpoint._meta import FORMAT, META, check_meta

STATE = "state"


class Checkpoint(NamedTuple):
    """A checkpoint whose description is intact; its arrays have not been read yet.

    Attributes:
        path: the folder of the checkpoint.
        meta: the content of its `meta.json`.
    """

    path: Path
    meta: dict


def partial_path(folder: Path, step: int) -> Path:
    """Returns the path under which a checkpoint is written before it gets its final name."""
    return folder / f"{step:08d}.tmp"


def prepare(folder: Path, partial: Path) -> list[str]:
    """Removes or restores what a killed save has left, and makes the folder `partial`.

    Returns:
        What could not be removed, and why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    synchronize(folder.parent)
    failures = remove(path for path in matching(folder, r"\d{8,}\.tmp") if is_folder(path))
    for path in matching(folder, r"\d{8,}\.replaced"):
        final = path.with_suffix("")
        if final.exists():
            failures += retire_all([path])
        else:
            path.rename(final)
    partial.mkdir()
    return failures


def publish(partial: Path, meta: dict) -> list[str]:
    """Completes a partial checkpoint and gives it its name, replacing one of the same step.

    Returns:
        What could not be removed, and why.
    """
    folder, final = partial.parent, partial.with_suffix("")
    checkpoints, _ = find(folder)
    sequence = 1 + max((checkpoint.meta["sequence"] for checkpoint in checkpoints), default=0)
    write(partial / META, encode({**meta, "sequence": sequence, "format": FORMAT}))
    seal(partial)
    replaced = final.with_suffix(".replaced")
    if final.exists():
        final.rename(replaced)
    partial.rename(final)
    synchronize(folder)
    return retire_all([replaced] if replaced.exists() else [])


def retire(folder: Path, keep: int, mode: str, fresh: Path) -> list[str]:
    """Removes all but the newest `keep` intact checkpoints and the best intact one.

    Damaged checkpoints that are found on the way stay. No more checkpoints are read than needed to
    find the checkpoints that stay; the others are removed unread, and some of them may be damaged.

    Args:
        folder: the folder of the checkpoints.
        keep: how many of the newest stay, at least 1.
        mode: whether the best has the smallest (`"min"`) or the largest metric (`"max"`).
        fresh: the checkpoint just written, which need not be read again.

    Returns:
        What could not be removed, and why.
    """
    checkpoints, _ = find(folder)
    newest, best = newest_first(checkpoints), best_first(checkpoints, mode)
    if not {c.path for c in checkpoints} - {c.path for c in newest[:keep] + best[:1]}:
        return []
    verdicts = {fresh: True}

    def intact(checkpoint: Checkpoint) -> bool:
        if checkpoint.path not in verdicts:
            verdicts[checkpoint.path] = is_intact(checkpoint.path)
        return verdicts[checkpoint.path]

    staying = {c.path for c in itertools.islice(filter(intact, newest), keep)}
    staying |= {c.path for c in itertools.islice(filter(intact, best), 1)}
    leaving = [c.path for c in checkpoints if c.path not in staying]
    return retire_all(path for path in leaving if verdicts.get(path, True))


def is_intact(path: Path) -> bool:
    """Says whether a checkpoint is intact, bit for bit."""
    try:
        verify(path)
    except DamagedCheckpoint:
        return False
    return True


def retire_all(paths: Iterable[Path]) -> list[str]:
    """Removes checkpoints; each is renamed first, so that no named checkpoint is half removed.

    Returns:
        What could not be removed, and why: for example, a folder in use may stay.
    """
    failures = []
    for path in paths:
        doomed = path.with_suffix(".tmp")
        try:
            path.rename(doomed)
            synchronize(path.parent)
        except OSError as error:
            failures.append(f"{path}: {error.strerror or error}")
        else:
            failures += remove([doomed])
    return failures


def remove(paths: Iterable[Path]) -> list[str]:
    """Removes folders, without renaming them first.

    Returns:
        What could not be removed, and why.
    """
    failures = []
    for path in paths:
        try:
            shutil.rmtree(path)
        except OSError as error:
            failures.append(f"{path}: {error.strerror or error}")
    return failures


def find(folder: Path) -> tuple[list[Checkpoint], list[str]]:
    """Finds all checkpoints with an intact description, and says what is wrong with the others."""
    checkpoints, damaged = [], []
    for path in matching(folder, r"\d{8,}(\.replaced)?"):
        try:
            if not is_folder(path):
                raise DamagedCheckpoint("it is not a folder")
            meta = check_meta(META, decode(META, read_verified(path, META)))
            if meta["step"] != int(path.stem):
                raise DamagedCheckpoint(f"{META} belongs to step {meta['step']}")
            checkpoints.append(Checkpoint(path, meta))
        except DamagedCheckpoint as error:
            damaged.append(f"{path.name}: {error}")
    return checkpoints, damaged


def newest_first(checkpoints: list[Checkpoint]) -> list[Checkpoint]:
    """Sorts by the order of saving, not by step, because a run may go back to an earlier step."""
    return sorted(checkpoints, key=lambda c: c.meta["sequence"], reverse=True)


def best_first(checkpoints: list[Checkpoint], mode: str) -> list[Checkpoint]:
    """Sorts checkpoints with a finite metric, the best first; of equal ones, the older first."""
    sign = 1 if mode == "min" else -1
    finite = [c for c in checkpoints if c.meta["metric"] is not None]
    finite = [c for c in finite if math.isfinite(c.meta["metric"])]
    return sorted(finite, key=lambda c: (sign * c.meta["metric"], c.meta["sequence"]))


def matching(folder: Path, pattern: str) -> list[Path]:
    """Lists the paths in a folder whose whole name matches a pattern."""
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    return [folder / name for name in names if re.fullmatch(pattern, name, re.ASCII)]
