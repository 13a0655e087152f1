"""Keeping the best model of a run without stopping the run."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

from jaxtricks._checks import check_choice
from jaxtricks.control._control_rule import ControlRule
from jaxtricks.control._observation import Mode
from jaxtricks.control._stopping import Progress, stopping


def keep_best(*, mode: Mode = "min") -> ControlRule:
    """Remembers the model with the best metric and never stops the run.

    `update(value, state, variables)` returns False, which means not to stop, and a `StoppingState`
    with `best_value`, `best_observation` and `best_variables`.

    Args:
        mode: whether a small metric is good ("min", a loss) or a large one ("max", an accuracy).

    Raises:
        ValueError: `mode` is unknown; in `init` and `update`, `variables` are missing or have
            another structure than before.

    Example:
        >>> rule = keep_best(mode="max")
        >>> state = rule.init(jnp.zeros(()))
        >>> for epoch, accuracy in enumerate((0.6, 0.8, 0.7)):
        ...     stop, state = rule.update(accuracy, state, jnp.float32(epoch))
        >>> bool(stop), int(state.best_observation), float(state.best_variables)
        (False, 2, 1.0)
    """
    check_choice("mode", mode, ("min", "max"))

    def judge(progress: Progress, value: PyTree, memory: PyTree) -> tuple[Bool[Array, ""], PyTree]:
        del progress, value
        return jnp.zeros([], bool), memory

    return stopping(judge, (), metric=lambda value: value, min_delta=0.0, mode=mode, keep_best=True)
