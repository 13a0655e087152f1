"""Reporting the progress of a run: a bar or lines on the terminal, curves for TensorBoard."""

import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator

import jax
import numpy as np

from jaxtricks.training.loop._history import Record

Report = Callable[[Record], None]


@contextlib.contextmanager
def progress_report(epochs: int, done: int, monitor: str, *, show: bool) -> Iterator[Report]:
    """Shows a bar of the epochs on a terminal if tqdm is installed, else a line for each epoch.

    Both say at once that the first epoch is being compiled, which can take longer than training it.
    """
    if not show or jax.process_index() != 0:
        yield lambda record: None
    elif sys.stderr.isatty() and importlib.util.find_spec("tqdm"):
        from tqdm import tqdm

        with tqdm(total=epochs, initial=done, unit="epoch", desc="compiling") as bar:

            def advance(record: Record) -> None:
                bar.set_description(None)
                bar.set_postfix({f"validation {monitor}": record[f"validation.{monitor}"]})
                bar.update()

            yield advance
    else:
        if done < epochs:
            say(f"epoch {done + 1}/{epochs}: compiling")

        def tell(record: Record) -> None:
            names = dict.fromkeys(("train.loss", "validation.loss", f"validation.{monitor}"))
            values = [
                f"{name.replace('.', ' ')} {record[name]:.4g}" for name in names if name in record
            ]
            text = ", ".join([*values, f"{record['seconds']:.1f} s"])
            say(f"epoch {record['epoch']}/{epochs}: {text}")

        yield tell


def say(line: str) -> None:
    """Writes a line to standard error, from the first process only."""
    if jax.process_index() == 0:
        print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def event_files(
    folder: str | os.PathLike[str] | None, step: int, *, write: bool
) -> Iterator[Report]:
    """Writes TensorBoard curves; if a run is resumed, hides the points after its checkpoint.

    Args:
        folder: the folder of the run; the files are in its subfolder `tensorboard`.
        step: the number of finished updates when the run starts or continues.
        write: whether to write anything.

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
                label = name.replace(".", "/")
                if isinstance(value, list):
                    finite = np.asarray(value)[np.isfinite(value)]
                    if finite.size:
                        writer.add_histogram(label, finite, record["step"])
                elif name not in ("epoch", "step"):
                    writer.add_scalar(label, value, record["step"])
            writer.flush()

        yield report
