"""Writing a checkpoint so that a kill at any moment leaves whole checkpoints."""

import os
import shutil
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import jax
from jaxtyping import PyTree

from jaxtricks._checks import check_choice, check_integer, check_scalar
from jaxtricks._local_path import local_path
from jaxtricks._processes import on_first_process
from jaxtricks._types import ArrayLike, ScalarLike
from jaxtricks.training.checkpoint._configuration import as_json
from jaxtricks.training.checkpoint._folder import (
    STATE,
    partial_path,
    prepare,
    publish,
    retire,
)
from jaxtricks.training.checkpoint._stored_tree import (
    describe,
    stored_leaves,
    write_leaves,
)


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
    """Writes a checkpoint, then removes all but the newest `keep` checkpoints and the best one.

    The checkpoint is the folder `<step>` in `folder`, its step written with 8 digits. `save`
    returns when every byte is on the disk. A kill at any moment leaves the earlier checkpoints
    whole. A checkpoint of the same step is replaced. With several processes all of them must call
    `save`, with one folder that all can see. A checkpoint whose metric is NaN or infinite is never
    the best.

    Before an old checkpoint is removed, those that stay are read and compared with their SHA-256
    sums. Damaged checkpoints do not count towards `keep` or as the best, and those that this
    comparison finds are not removed. If something cannot be removed, such as a file in use, a
    warning names it, and the next save tries again.

    Args:
        folder: the folder of the run's checkpoints; it is made if it is missing.
        tree: arrays, typed keys, numbers and None in any containers that JAX knows.
        step: the number of finished updates, at least 0.
        metric: the number by which the best checkpoint is chosen; with None, this checkpoint is
            never the best.
        mode: whether a smaller (`"min"`) or a larger metric (`"max"`) is better.
        configuration: a dict that JSON can represent, which `restore` compares.
        keep: how many of the newest checkpoints stay, at least 1.

    Returns:
        The folder of the checkpoint.

    Raises:
        ImportError: orbax is not installed.
        OSError: the checkpoint cannot be written; the earlier ones are intact.
        TypeError: a leaf is not an array, or JSON cannot represent `configuration`.
        ValueError: `step` or `keep` is out of range, `mode` is unknown, or the tree holds no array.

    Example:
        >>> import tempfile
        >>> import numpy as np
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
    folder = local_path("folder", folder).absolute()
    partial = partial_path(folder, meta["step"])
    failures: list[str] = []

    def finish() -> None:
        failures.extend(publish(partial, meta))
        failures.extend(retire(folder, keep, mode, partial.with_suffix("")))

    try:
        on_first_process(lambda: failures.extend(prepare(folder, partial)))
        write_leaves(partial / STATE, leaves)
        on_first_process(finish)
    except Exception as error:
        message = f"cannot save the tree of step {meta['step']} in {folder}: {error}"
        raise OSError(message) from error
    finally:
        if jax.process_index() == 0:
            shutil.rmtree(partial, ignore_errors=True)
    if failures:
        warnings.warn(
            f"step {meta['step']} is saved, but old files could not be removed: "
            f"{'; '.join(failures)}. The next save tries again.",
            stacklevel=2,
        )
    return partial.with_suffix("")


def check_orbax() -> None:
    """Checks that orbax, which reads and writes the arrays, is installed.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import orbax.checkpoint  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "checkpoints need orbax-checkpoint: install jaxtricks[checkpoint]."
        ) from error
