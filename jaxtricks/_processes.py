"""What several processes of `jax.distributed` do together; one process does it alone."""

from collections.abc import Callable

import jax
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import Shaped


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


def of_all_processes(values: Shaped[np.ndarray, " n"]) -> Shaped[np.ndarray, "processes n"]:
    """The values of every process, a row for each. None goes on before all have given theirs."""
    if jax.process_count() == 1:
        return values[None]
    return np.asarray(multihost_utils.process_allgather(values))
