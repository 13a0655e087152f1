"""Reading a checkpoint after every byte of it has been verified."""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from jaxtyping import PyTree

from jaxtricks._checks import check_choice, check_instance
from jaxtricks._local_path import local_path
from jaxtricks.training.checkpoint._configuration import as_json, check_same_configuration
from jaxtricks.training.checkpoint._folder import (
    STATE,
    Checkpoint,
    best_first,
    find,
    newest_first,
)
from jaxtricks.training.checkpoint._manifest import DamagedCheckpoint, verify
from jaxtricks.training.checkpoint._save import check_orbax
from jaxtricks.training.checkpoint._stored_tree import (
    check_same_description,
    describe,
    of_part,
    read_tree,
)


class NoIntactCheckpoint(RuntimeError):
    """Raised if all checkpoints of a folder are damaged; its message says what is wrong with each.

    It is raised by `restore`, and by `fit` with `resume=True`.
    """


class Restored(NamedTuple):
    """The result of `restore`.

    Attributes:
        tree: the saved tree, with the shapes and dtypes of `like`, on the devices of `like`.
        step: the `step` that was passed to `save`.
        metric: the `metric` that was passed to `save`, or None.
        skipped: for each damaged checkpoint that was skipped, its folder and what is wrong with it.
    """

    tree: PyTree
    step: int
    metric: float | None
    skipped: tuple[str, ...]


def restore(
    folder: str | os.PathLike[str],
    like: PyTree,
    *,
    configuration: Mapping | None = None,
    which: Literal["latest", "best"] = "latest",
    part: str = "",
) -> Restored:
    """Reads the newest or the best checkpoint whose files are all intact, bit for bit.

    All its files are compared with their SHA-256 sums before any array is read. A damaged
    checkpoint is skipped with a warning; nothing is removed. Files are read as JSON and as arrays
    of numbers, so no file can run code. The sums reveal damage by a disk or a broken copy, but they
    are not signatures: whoever can write to the folder can write other numbers with matching sums.

    Args:
        folder: the folder that was passed to `save`.
        like: a tree of arrays or `jax.ShapeDtypeStruct` with the saved structure, shapes and
            dtypes; its shardings say where the arrays are placed.
        configuration: must equal the saved configuration; None skips the comparison.
        which: `"latest"` for the newest, in the order of saving, or `"best"` for the one with the
            best metric.
        part: the path of the subtree to read, as `jax.tree_util.keystr` writes it; `like` then
            describes that subtree. "" reads the whole tree. The checkpoints of `fit` are in the
            subfolder `checkpoints` of its folder, and each holds a `Position`: `".state"` is the
            train state, `".stopping.best_variables"` holds the best variables and
            `".state.average.output"` the averaged parameters.

    Returns:
        The tree, with its step and its metric.

    Raises:
        FileNotFoundError: there is no checkpoint.
        ImportError: orbax is not installed.
        NoIntactCheckpoint: all checkpoints are damaged.
        ValueError: the configuration or the tree differs from the saved one (the message says
            where), there is no such `part`, `which` is unknown, or the best is wanted and no
            checkpoint has a finite metric.
        TypeError: `folder` is not a path, `part` is not a string, a leaf of `like` is not an array,
            or JSON cannot represent `configuration`.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from jaxtricks.training import save
        >>> folder = tempfile.mkdtemp()
        >>> path = save(folder, {"w": np.arange(3.0)}, step=7, configuration={"width": 64})
        >>> restore(folder, {"w": np.zeros(3)}).tree
        {'w': array([0., 1., 2.])}
        >>> restore(folder, np.zeros(3), part="['w']").tree
        array([0., 1., 2.])
        >>> restore(folder, {"w": np.zeros(3)}, configuration={"width": 128})
        Traceback (most recent call last):
        ValueError: configuration differs from the checkpoint's: width: saved 64, now 128.

    References:
        [Orbax](https://orbax.readthedocs.io), whose array format this is.
    """
    check_orbax()
    check_choice("which", which, ("latest", "best"))
    check_instance("part", part, str)
    place = local_path("folder", folder).absolute()
    description = describe("like", like)
    now = None if configuration is None else as_json(configuration)
    checkpoints, skipped = find(place)
    for checkpoint in in_order(place, checkpoints, skipped, which):
        try:
            verify(checkpoint.path)
            if now is not None:
                check_same_configuration(checkpoint.meta["configuration"], now)
            check_same_description(of_part(checkpoint.meta["tree"], part), description)
            tree = read_tree(checkpoint.path / STATE, like, checkpoint.meta["tree"], part)
        except DamagedCheckpoint as error:
            skipped.append(f"{checkpoint.path.name}: {error}")
            continue
        if skipped:
            message = f"damaged checkpoints in {folder} were skipped: {'; '.join(skipped)}."
            warnings.warn(f"{message} Step {checkpoint.meta['step']} is used.", stacklevel=2)
        return Restored(tree, checkpoint.meta["step"], checkpoint.meta["metric"], tuple(skipped))
    if skipped:
        raise NoIntactCheckpoint(
            f"all checkpoints in {folder} are damaged: {'; '.join(skipped)}. Put back an intact "
            "copy, or use another folder."
        )
    below = place / "checkpoints"
    hint = f": the checkpoints of `fit` are in {below}" if below.is_dir() else ""
    raise FileNotFoundError(f"there is no checkpoint in {folder}{hint}.")


def in_order(
    folder: Path, checkpoints: list[Checkpoint], damaged: list[str], which: str
) -> list[Checkpoint]:
    """Sorts checkpoints from the one that is wanted most to the one that is wanted least.

    Raises:
        ValueError: the best is wanted, and no checkpoint has a finite metric.
    """
    newest = newest_first(checkpoints)
    if which == "latest" or not newest:
        return newest
    best = best_first(checkpoints, newest[0].meta["mode"])
    if not best:
        others = f" Damaged checkpoints: {'; '.join(damaged)}." if damaged else ""
        raise ValueError(
            f"no checkpoint in {folder} has a finite metric: use which='latest'.{others}"
        )
    return best
