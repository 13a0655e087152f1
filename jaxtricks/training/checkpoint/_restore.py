"""Reading a checkpoint, once every byte of it is proved to be what was written."""

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
    """There are checkpoints, and all are damaged; the message says of each what is wrong."""


class Restored(NamedTuple):
    """What a checkpoint held.

    Attributes:
        tree: shaped, typed and placed like `like`.
        step: that it was saved at.
        metric: that it was saved with, or None.
        skipped: of each damaged checkpoint that was passed over, the folder and what is wrong.
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
    """Reads the newest or the best checkpoint that is intact, bit for bit.

    All of its files are compared with their SHA-256 sums before any array is read. A damaged
    checkpoint is passed over with a warning; nothing is removed. Files are read as JSON and as
    numbers: none can run code. The sums find what a disk or a broken copy changed; they are no
    signatures: whoever can write to the folder can write other numbers with the right sums.

    Args:
        folder: what `save` was given.
        like: a tree of the same structure, shapes and dtypes, of arrays or
            `jax.ShapeDtypeStruct`; its shardings say where the arrays go.
        configuration: must equal the saved one; None does not compare.
        which: the newest, in the order of saving, or the one with the best metric.
        part: the path in the saved tree of what `like` is, as `jax.tree_util.keystr` writes it;
            "" for all of it. In the checkpoints of `fit`, `".state"` is the train state and
            `".stopping.best_variables"` the best variables; of averaged weights
            `".state.average.output"`, like the parameters.

    Raises:
        FileNotFoundError: there is no checkpoint.
        ImportError: orbax is not installed.
        NoIntactCheckpoint: there are only damaged ones.
        ValueError: the configuration or the tree is another one; the message says where. Or the
            best is wanted, and none has a finite metric. Or there is no such `part`.
        TypeError: `part` is not a string.

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
            message = f"damaged checkpoints in {folder} were passed over: {'; '.join(skipped)}."
            warnings.warn(f"{message} Step {checkpoint.meta['step']} is used.", stacklevel=2)
        return Restored(tree, checkpoint.meta["step"], checkpoint.meta["metric"], tuple(skipped))
    if skipped:
        raise NoIntactCheckpoint(
            f"all checkpoints in {folder} are damaged, bring back a copy or take another folder: "
            f"{'; '.join(skipped)}."
        )
    below = place / "checkpoints"
    hint = f": those of `fit` are in {below}" if below.is_dir() else ""
    raise FileNotFoundError(f"there is no checkpoint in {folder}{hint}.")


def in_order(
    folder: Path, checkpoints: list[Checkpoint], damaged: list[str], which: str
) -> list[Checkpoint]:
    """The checkpoints from the one that is wanted to the one that is wanted least.

    Raises:
        ValueError: the best is wanted, and none has a finite metric.
    """
    newest = newest_first(checkpoints)
    if which == "latest" or not newest:
        return newest
    best = best_first(checkpoints, newest[0].meta["mode"])
    if not best:
        others = f" Damaged are {'; '.join(damaged)}." if damaged else ""
        raise ValueError(
            f"no checkpoint in {folder} has a finite metric to be the best by.{others}"
        )
    return best
