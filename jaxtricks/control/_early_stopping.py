"""Early stopping: ending a run when a metric has not improved for a while."""

import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Int, PyTree

from jaxtricks._checks import check_choice, check_integer, check_range
from jaxtricks._types import ScalarLike
from jaxtricks.control._control_rule import ControlRule
from jaxtricks.control._observation import Mode, ThresholdMode
from jaxtricks.control._stopping import Progress, stopping


def early_stopping(
    patience: int | Int[Array, ""],
    *,
    min_delta: ScalarLike = 0.0,
    threshold_mode: ThresholdMode = "abs",
    start_from: int | Int[Array, ""] = 0,
    mode: Mode = "min",
    keep_best: bool = True,
) -> ControlRule:
    r"""Stops after more than `patience` observations in a row without a new best.

    A new best is better than the previous best by more than `min_delta`; any other observation is
    bad. `update(value, state, variables)` returns whether to stop, and a `StoppingState` with
    `best_value`, `best_observation` and `best_variables`. Use the best model and not the last one,
    which has been trained for `patience` + 1 observations more, or train again for
    `best_observation` epochs.

    Args:
        patience: number of bad observations in a row that are tolerated, at least 0. With 0 the
            first observation that is not a new best stops the run. Keras stops at bad observation
            number `patience`, so give one less here than there. In Keras, 0 acts like 1.
        min_delta: $\delta$, at least 0.
        threshold_mode: the margin by which a new best must beat the best value so far, $b$:
            $\delta$ ("abs"), $\delta |b|$ ("signed"), or $\delta b$ ("rel", whose sign is wrong
            where $b < 0$, as in PyTorch's `ReduceLROnPlateau`).
        start_from: number of observations at the start that are ignored, at least 0: none of them
            is bad or becomes the best. If the run ends with them, `best_observation` is 0, and the
            best variables are those given to `init`. Keras calls it `start_from_epoch`.
        mode: whether a small metric is good ("min", a loss) or a large one ("max", an accuracy).
        keep_best: whether the state stores the best variables, which are as large as the model. If
            False, `variables` are not needed.

    Raises:
        ValueError: an argument is out of range; in `init` and `update`, `variables` are missing or
            have another structure than before.
        TypeError: `patience` or `start_from` is not an integer, or `keep_best` is not a bool.

    Example:
        >>> rule = early_stopping(patience=1)
        >>> state = rule.init(jnp.zeros(()))
        >>> for epoch, loss in enumerate((3.0, 2.0, 2.5, 2.2, 1.0)):
        ...     stop, state = rule.update(loss, state, jnp.float32(epoch))
        ...     print(bool(stop), end=" ")
        False False False True True
        >>> int(state.best_observation), float(state.best_value), float(state.best_variables)
        (2, 2.0, 1.0)
        >>> rule = early_stopping(patience=0, start_from=2, keep_best=False)
        >>> state = rule.init()
        >>> for loss in (1.0, 5.0, 3.0, 2.0, 2.5):
        ...     stop, state = rule.update(loss, state)
        ...     print(bool(stop), end=" ")
        False False False False True

    References:
        Prechelt, [Early stopping - but when?](https://doi.org/10.1007/3-540-49430-8_3), 1998.
    """
    check_integer("patience", patience, low=0)
    check_range("min_delta", min_delta, low=0.0)
    check_choice("threshold_mode", threshold_mode, ("abs", "signed", "rel"))
    check_integer("start_from", start_from, low=0)
    check_choice("mode", mode, ("min", "max"))

    def judge(
        progress: Progress, value: PyTree, bad_count: PyTree
    ) -> tuple[Bool[Array, ""], Int[Array, ""]]:
        del value
        good = progress.improved | ~progress.after_warmup
        bad = jnp.where(good, 0, optax.safe_increment(bad_count))
        return bad > patience, bad

    return stopping(
        judge,
        jnp.zeros([], jnp.int32),
        metric=lambda value: value,
        min_delta=min_delta,
        mode=mode,
        keep_best=keep_best,
        threshold_mode=threshold_mode,
        start_from=start_from,
    )
