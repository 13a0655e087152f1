"""The folders of a run's checkpoints: which there are, adding one, and removing old ones.

What is found in them may be anything: a disk or a stranger changed it. When old checkpoints are
removed and when one is restored, those count that verify; others that are met on the way stay.

A checkpoint is a folder named by its step. It appears under that name by one rename, when all of it
is on the disk, and is renamed before it is removed. So a kill at any moment leaves whole
checkpoints, folders named `*.tmp`, which the next save removes, and `*.replaced`, which are whole.
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
    """A folder whose description is intact; its arrays are yet unread.

    Attributes:
        path: of the folder.
        meta: its `meta.json`.
    """

    path: Path
    meta: dict


def partial_path(folder: Path, step: int) -> Path:
    """Where a checkpoint is written before it has its name."""
    return folder / f"{step:08d}.tmp"


def prepare(folder: Path, partial: Path) -> list[str]:
    """Removes or puts back what a killed save has left, and makes room for a new one.

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
    """Completes a partial checkpoint and gives it its name; one of the same step makes way.

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
    """Removes all but the newest `keep` that verify, the best that does, and damaged ones met.

    No more are read than it takes to find those. Of the rest, which are removed unread, some may be
    damaged too.

    Args:
        folder: of the checkpoints.
        keep: at least 1.
        mode: whether the best has the smallest or the largest metric.
        fresh: the one just written, whose sums need not be taken again.

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
    """Whether a checkpoint verifies."""
    try:
        verify(path)
    except DamagedCheckpoint:
        return False
    return True


def retire_all(paths: Iterable[Path]) -> list[str]:
    """Removes checkpoints; each loses its name first, so that none is ever half removed.

    Returns:
        What could not be removed, and why: a folder in use, for instance, may stay.
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
    """Removes folders that have no name any more.

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
    """All checkpoints with an intact description, and what is wrong with the others."""
    checkpoints, damaged = [], []
    for path in matching(folder, r"\d{8,}(\.replaced)?"):
        try:
            if not is_folder(path):
                raise DamagedCheckpoint("it is no folder")
            meta = check_meta(META, decode(META, read_verified(path, META)))
            if meta["step"] != int(path.stem):
                raise DamagedCheckpoint(f"{META} is of step {meta['step']}")
            checkpoints.append(Checkpoint(path, meta))
        except DamagedCheckpoint as error:
            damaged.append(f"{path.name}: {error}")
    return checkpoints, damaged


def newest_first(checkpoints: list[Checkpoint]) -> list[Checkpoint]:
    """By the order of saving: a run that went back to an earlier step saves newer ones."""
    return sorted(checkpoints, key=lambda c: c.meta["sequence"], reverse=True)


def best_first(checkpoints: list[Checkpoint], mode: str) -> list[Checkpoint]:
    """Those with a finite metric; of equal ones the earlier."""
    sign = 1 if mode == "min" else -1
    finite = [c for c in checkpoints if c.meta["metric"] is not None]
    finite = [c for c in finite if math.isfinite(c.meta["metric"])]
    return sorted(finite, key=lambda c: (sign * c.meta["metric"], c.meta["sequence"]))


def matching(folder: Path, pattern: str) -> list[Path]:
    """What a folder holds whose whole name matches."""
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    return [folder / name for name in names if re.fullmatch(pattern, name, re.ASCII)]
