"""Functions that all processes of `jax.distributed` call together, also if there is only one."""

from collections.abc import Callable

import jax
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import Shaped


def on_first_process(action: Callable[[], None]) -> None:
    """Runs `action` on process 0; the other processes wait for it.

    Raises:
        Exception: the error of `action` on process 0; on the other processes, an `OSError`.
    """
    failure = None
    if jax.process_index() == 0:
        try:
            action()
        except Exception as error:
            failure = error
    if jax.process_count() > 1:
        failed = multihost_utils.broadcast_one_to_all(np.asarray(failure is not None))
        if failed and failure is None:
            raise OSError("process 0 failed; see its error.")
    if failure is not None:
        raise failure


def of_all_processes(values: Shaped[np.ndarray, " n"]) -> Shaped[np.ndarray, "processes n"]:
    """Returns the values of all processes, a row for each, after waiting for all of them."""
    if jax.process_count() == 1:
        return values[None]
    return np.asarray(multihost_utils.process_allgather(values))
