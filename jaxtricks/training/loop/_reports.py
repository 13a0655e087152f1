"""Telling how a run goes: a bar on the terminal, curves for TensorBoard."""

import contextlib
import os
from collections.abc import Callable, Iterator

import jax

from jaxtricks.training.loop._history import Record

Report = Callable[[Record], None]


@contextlib.contextmanager
def bar(epochs: int, done: int, monitor: str, *, show: bool) -> Iterator[Report]:
    """A bar of the epochs on a terminal, if tqdm is installed."""
    tqdm = None
    if show and jax.process_index() == 0:
        with contextlib.suppress(ImportError):
            from tqdm import tqdm
    if tqdm is None:
        yield lambda record: None
        return
    with tqdm(total=epochs, initial=done, unit="epoch", disable=None) as shown:

        def report(record: Record) -> None:
            shown.set_postfix({f"validation {monitor}": record[f"validation.{monitor}"]})
            shown.update()

        yield report


@contextlib.contextmanager
def event_files(
    folder: str | os.PathLike[str] | None, step: int, *, write: bool
) -> Iterator[Report]:
    """Writes curves; after an interruption, later points of the same run are hidden.

    Args:
        folder: of the run; the files are in its `tensorboard`.
        step: finished updates when the run goes on.
        write: False writes nothing.

    Raises:
        ImportError: tensorboardX is not installed.
    """
    if folder is None or not write or jax.process_index() != 0:
        yield lambda record: None
        return
    try:
        from tensorboardX import SummaryWriter  # pyrefly: ignore[missing-import]
    except ImportError as error:
        raise ImportError(
            "tensorboard=True needs tensorboardX: pip install tensorboardX."
        ) from error
    with SummaryWriter(
        os.path.join(folder, "tensorboard"), purge_step=step + 1 if step else None
    ) as writer:

        def report(record: Record) -> None:
            for name, value in record.items():
                if name not in ("epoch", "step"):
                    writer.add_scalar(name.replace(".", "/"), value, record["step"])
            writer.flush()

        yield report
