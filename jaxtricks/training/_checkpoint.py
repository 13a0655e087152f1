"""Checkpoints that prove themselves intact before they are used."""

import os
import shutil
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import ArrayLike, PyTree, ScalarLike

from jaxtricks._checks import check_choice, check_instance, check_integer, check_scalar
from jaxtricks.training._checkpoint_folder import (
    STATE,
    Checkpoint,
    best_first,
    find,
    newest_first,
    partial_path,
    prepare,
    publish,
    retire,
)
from jaxtricks.training._configuration import as_json, check_same_configuration
from jaxtricks.training._manifest import DamagedCheckpoint, verify
from jaxtricks.training._stored_tree import (
    check_same_description,
    describe,
    of_part,
    read_tree,
    stored_leaves,
    write_leaves,
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


def save(
    folder: str | os.PathLike[str],
    tree: PyTree,
    *,
    step: int | ArrayLike,
    metric: ScalarLike | None = None,
    mode: Literal["min", "max"] = "min",
    configuration: Mapping | None = None,
    keep: int = 2,
) -> Path:
    """Writes `folder/<step in 8 digits>`, then removes all but the newest `keep` and the best.

    It returns when every byte is on the disk. A kill at any moment leaves the earlier checkpoints
    whole. One of the same step is replaced. Under several processes all must call it, with one
    folder that all see. A `metric` that is not finite is never the best.

    Args:
        folder: of the run; made if missing.
        tree: arrays, typed keys, numbers and None in any containers that JAX knows.
        step: finished updates.
        metric: by which the best is chosen.
        mode: whether a smaller or a larger metric is better.
        configuration: what `restore` compares; anything that JSON has.
        keep: how many of the newest stay, at least 1.

    Returns:
        The folder of the checkpoint.

    Raises:
        ImportError: orbax is not installed.
        OSError: it cannot be written; the earlier ones are intact.
        TypeError: a leaf is no array, or `configuration` is not JSON.

    Example:
        >>> import tempfile, warnings
        >>> folder = tempfile.mkdtemp()
        >>> for step, loss in [(10, 0.3), (20, 0.5), (30, 0.4)]:
        ...     _ = save(folder, {"w": np.float32(step)}, step=step, metric=loss, keep=1)
        >>> sorted(os.listdir(folder))
        ['00000010', '00000030']

    References:
        [Orbax](https://orbax.readthedocs.io), whose array format this is.
    """
    check_orbax()
    check_integer("step", step, low=0)
    check_integer("keep", keep, low=1)
    check_choice("mode", mode, ("min", "max"))
    if metric is not None:
        check_scalar("metric", metric)
    meta = {
        "step": int(step),
        "metric": None if metric is None else float(metric),
        "mode": mode,
        "configuration": as_json(configuration),
        "versions": {name: version(name) for name in ("jax", "orbax-checkpoint")},
        "tree": describe("tree", tree),
    }
    leaves = stored_leaves(tree)
    folder = Path(folder).absolute()
    partial = partial_path(folder, meta["step"])

    def finish() -> None:
        publish(partial, meta)
        retire(folder, keep, mode)

    try:
        on_first_process(lambda: prepare(folder, partial))
        write_leaves(partial / STATE, leaves)
        on_first_process(finish)
    except Exception as error:
        raise OSError(f"cannot save step {meta['step']} in {folder}: {error}") from error
    finally:
        if jax.process_index() == 0:
            shutil.rmtree(partial, ignore_errors=True)
    return partial.with_suffix("")


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
    numbers: none can run code.

    Args:
        folder: what `save` was given.
        like: a tree of the same structure, shapes and dtypes, of arrays or
            `jax.ShapeDtypeStruct`; its shardings say where the arrays go.
        configuration: must equal the saved one; None does not compare.
        which: the newest, in the order of saving, or the one with the best metric.
        part: the path in the saved tree of what `like` is, as `jax.tree_util.keystr` writes it;
            "" for all of it. In the checkpoints of `fit`, `".state"` is the train state and
            `".stopping.best_params"` the best variables; of averaged weights
            `".state.average.output"`, like the parameters.

    Raises:
        FileNotFoundError: there is no checkpoint.
        ImportError: orbax is not installed.
        NoIntactCheckpoint: there are only damaged ones.
        ValueError: the configuration or the tree is another one; the message says where. Or the
            best is wanted, and none has a finite metric. Or there is no such `part`.
        TypeError: `part` is no string.

    Example:
        >>> import tempfile
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
    description = describe("like", like)
    chosen, skipped = newest_intact(Path(folder).absolute(), which)
    if skipped:
        message = f"damaged checkpoints in {folder} were passed over: {'; '.join(skipped)}."
        warnings.warn(f"{message} Step {chosen.meta['step']} is used.", stacklevel=2)
    if configuration is not None:
        check_same_configuration(chosen.meta["configuration"], as_json(configuration))
    check_same_description(of_part(chosen.meta["tree"], part), description)
    tree = read_tree(chosen.path / STATE, like, chosen.meta["tree"], part)
    return Restored(tree, chosen.meta["step"], chosen.meta["metric"], tuple(skipped))


def newest_intact(folder: Path, which: str) -> tuple[Checkpoint, list[str]]:
    """The first checkpoint whose files are all intact, and what is wrong with those before it."""
    checkpoints, skipped = find(folder)
    ordered = newest_first(checkpoints)
    if which == "best" and ordered:
        ordered = best_first(checkpoints, ordered[0].meta["mode"])
        if not ordered:
            raise ValueError(f"no checkpoint in {folder} has a finite metric to be the best by.")
    for checkpoint in ordered:
        try:
            verify(checkpoint.path)
            return checkpoint, skipped
        except DamagedCheckpoint as error:
            skipped.append(f"{checkpoint.path.name}: {error}")
    if skipped:
        raise NoIntactCheckpoint(f"all checkpoints in {folder} are damaged: {'; '.join(skipped)}.")
    raise FileNotFoundError(f"there is no checkpoint in {folder}.")


def on_first_process(action: Callable[[], None]) -> None:
    """Runs on process 0; the others wait for it, and fail if it does."""
    failure = None
    if jax.process_index() == 0:
        try:
            action()
        except Exception as error:
            failure = error
    if jax.process_count() > 1:
        failed = multihost_utils.broadcast_one_to_all(np.asarray(failure is not None))
        if failed and failure is None:
            raise OSError("process 0 could not")
    if failure is not None:
        raise failure


def check_orbax() -> None:
    """Checks for the package that reads and writes arrays.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import orbax.checkpoint  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "checkpoints need orbax-checkpoint: install jaxtricks[checkpoint]."
        ) from error
