"""The folders of a run's checkpoints: which there are, adding one, and removing old ones.

A checkpoint is a folder named by its step. It appears under that name by one rename, when all of it
is on the disk, and is renamed before it is removed. So a kill at any moment leaves whole
checkpoints, folders named `*.tmp`, which the next save removes, and `*.replaced`, which are whole.
"""

import json
import math
import os
import re
import shutil
from pathlib import Path
from typing import NamedTuple

from jaxtricks.training.checkpoint._manifest import (
    DamagedCheckpoint,
    encode,
    read_verified,
    seal,
    synchronize,
    write,
)

META = "meta.json"
STATE = "state"
FORMAT = 1


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


def prepare(folder: Path, partial: Path) -> None:
    """Removes or puts back what a killed save has left, and makes room for a new one."""
    folder.mkdir(parents=True, exist_ok=True)
    synchronize(folder.parent)
    for path in matching(folder, r"\d{8,}\.tmp"):
        shutil.rmtree(path)
    for path in matching(folder, r"\d{8,}\.replaced"):
        final = path.with_suffix("")
        if final.exists():
            discard(path)
        else:
            path.rename(final)
    partial.mkdir()


def publish(partial: Path, meta: dict) -> Path:
    """Completes a partial checkpoint and gives it its name; one of the same step makes way."""
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
    if replaced.exists():
        discard(replaced)
    return final


def retire(folder: Path, keep: int, mode: str) -> None:
    """Removes all intact checkpoints but the newest `keep` and the best."""
    checkpoints, _ = find(folder)
    staying = newest_first(checkpoints)[:keep] + best_first(checkpoints, mode)[:1]
    for path in {checkpoint.path for checkpoint in checkpoints} - {c.path for c in staying}:
        discard(path)


def discard(path: Path) -> None:
    """Removes a checkpoint; it loses its name first, so that none is ever half removed."""
    doomed = path.with_suffix(".tmp")
    path.rename(doomed)
    synchronize(path.parent)
    shutil.rmtree(doomed)


def find(folder: Path) -> tuple[list[Checkpoint], list[str]]:
    """All checkpoints with an intact description, and what is wrong with the others."""
    checkpoints, damaged = [], []
    for path in matching(folder, r"\d{8,}(\.replaced)?"):
        try:
            meta = json.loads(read_verified(path, META))
            if not isinstance(meta, dict) or meta.get("format") != FORMAT:
                raise DamagedCheckpoint(f"{META} is not of format {FORMAT}")
            checkpoints.append(Checkpoint(path, meta))
        except (DamagedCheckpoint, ValueError) as error:
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
    """The folders in a folder whose whole name matches."""
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    paths = (folder / name for name in names if re.fullmatch(pattern, name))
    return [path for path in paths if path.is_dir()]
